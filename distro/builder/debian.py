# SPDX-License-Identifier: Apache-2.0
"""Takes files from Debian packages without installing them.

What the guest and the images are made of must not depend on what the machine happens to
have installed, and building must not change the machine.
"""

from __future__ import annotations

import contextlib
import pathlib

from .component import BuildError
from .context import Context


def unpack(context: Context, package: str, version: str, target: pathlib.Path) -> None:
    """Fetch a package from the machine's configured archive and unpack it into ``target``.

    An empty ``version`` means the newest that the archive offers. Raises BuildError when
    apt does not know it: the package lists may be missing (``apt-get update``).
    """
    request = f"{package}={version}" if version else package
    kept = context.downloads / "debian" / request.replace("/", "_")
    if not kept.is_dir():
        partial = context.work / "debian" / package
        partial.mkdir(parents=True, exist_ok=True)
        try:
            context.run(["apt-get", "download", "--quiet", request], cwd=partial, timeout=900)
        except BuildError as error:
            raise BuildError(f"cannot fetch {request}; run apt-get update first.\n{error}") from error
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Another component may have fetched the same package meanwhile.
        with contextlib.suppress(OSError):
            partial.rename(kept)
    files = sorted(kept.glob("*.deb"))
    if len(files) != 1:
        raise BuildError(f"expected one package file in {kept}, found {len(files)}; remove the folder and retry")
    target.mkdir(parents=True, exist_ok=True)
    context.run(["dpkg-deb", "--extract", files[0], target])
