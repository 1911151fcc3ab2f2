# SPDX-License-Identifier: Apache-2.0
"""Takes files from Debian packages without installing them.

What the guest and the images are made of must not depend on what the machine happens to
have installed, and building must not change the machine.
"""

from __future__ import annotations

import contextlib
import pathlib

from distribution.builder.component import BuildError
from distribution.builder.context import Context

# A kernel package is 60 MB; a slow mirror serves it in minutes.
DOWNLOAD_TIMEOUT = 900.0


def unpack(context: Context, package: str, version: str, target: pathlib.Path) -> None:
    """Fetch a package from the machine's configured archive and unpack it into ``target``.

    ``version`` is a wish: Debian's mirrors drop a version when an update replaces it, so
    that the archive's newest is taken where the wished one is gone, or none was wished.
    The log shows which one was used.

    :raises BuildError: when apt has neither.
    """
    try:
        file = _fetch(context, package, f"{package}={version}" if version else package)
    except BuildError:
        if not version:
            raise
        file = _fetch(context, package, package)
    target.mkdir(parents=True, exist_ok=True)
    context.run(["dpkg-deb", "--extract", file, target])


def _fetch(context: Context, package: str, request: str) -> pathlib.Path:
    """Return the package file for a request as apt understands it, from the cache or the archive."""
    kept = context.downloads / "debian" / request
    if not kept.is_dir():
        partial = context.work / "debian" / request
        partial.mkdir(parents=True)
        # apt's own unprivileged user could not enter the builder's directories.
        argv = ["apt-get", "download", "--quiet", "--option=APT::Sandbox::User=root", request]
        try:
            context.run(argv, cwd=partial, timeout=DOWNLOAD_TIMEOUT)
        except BuildError as error:
            raise BuildError(f"cannot fetch {request}; run apt-get update first.\n{error}") from error
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Another component may have fetched the same package meanwhile.
        with contextlib.suppress(OSError):
            partial.rename(kept)
    files = sorted(kept.glob(f"{package}_*.deb"))
    if len(files) != 1:
        raise BuildError(f"expected one package file in {kept}, found {len(files)}; remove the directory and retry")
    return files[0]
