# SPDX-License-Identifier: Apache-2.0
"""crun, the OCI runtime of the guest, with the libraries that it needs.

Debian's package as it is: security updates come with the next build, as for the kernel, and
nothing is compiled. runc, which serves the host, is a Go program and would take three times as
long to start a container, twice an exec.
"""

from __future__ import annotations

import pathlib
import shutil

from distribution.builder import debian
from distribution.builder.component import BuildError
from distribution.builder.context import Context

PROGRAM = pathlib.PurePath("usr/bin/crun")
# Where the loader looks without a cache or a configuration.
LIBRARIES = pathlib.PurePath("lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"
# The libraries of each Debian package. One that is missing here fails the build.
FILES = {
    "libc6": ("libc.so.6", LOADER),
    "libcap2": ("libcap.so.2",),
    "libgcrypt20": ("libgcrypt.so.20",),
    "libgpg-error0": ("libgpg-error.so.0",),
    "liblz4-1": ("liblz4.so.1",),
    "liblzma5": ("liblzma.so.5",),
    "libseccomp2": ("libseccomp.so.2",),
    "libsystemd0": ("libsystemd.so.0",),
    "libyajl2": ("libyajl.so.2",),
    "libzstd1": ("libzstd.so.1",),
}


def install(context: Context, root: pathlib.Path) -> None:
    """Put crun into the tree of a root file system, and check that it runs from there."""
    unpacked = context.work / "crun"
    versions = context.versions["crun"]
    for package in ("crun", *FILES):
        debian.unpack(context, package, versions[package], unpacked)
    (root / PROGRAM.parent).mkdir(parents=True, exist_ok=True)
    shutil.copy2(unpacked / PROGRAM, root / PROGRAM)
    directory = root / LIBRARIES
    directory.mkdir(parents=True)
    for name in (name for names in FILES.values() for name in names):
        library = directory / name
        shutil.copyfile(_find(unpacked, name), library)
        library.chmod(0o755)
    # The loader's name is in every program.
    (root / "lib64").mkdir()
    (root / "lib64" / LOADER).symlink_to(f"../{LIBRARIES}/{LOADER}")
    loader = directory / LOADER
    argv: list[str | pathlib.Path] = [loader, "--inhibit-cache", "--library-path", directory]
    context.run([*argv, root / PROGRAM, "--version"], timeout=60)


def _find(unpacked: pathlib.Path, name: str) -> pathlib.Path:
    """Return the file of a library: Debian has some of them below /lib, others below /usr/lib."""
    for directory in (unpacked / LIBRARIES, unpacked / "usr" / LIBRARIES):
        if (directory / name).exists():
            return directory / name
    raise BuildError(f"no package of crun contains {name}")
