# SPDX-License-Identifier: Apache-2.0
"""The images of the software tier: Debian's packages, installed by mmdebstrap, in the standalone's registry.

An image is built once per recipe and kept in the quickstart's cache. Its tag is the digest of the recipe, so that a
node that has pulled an earlier recipe does not take it for the present one.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distribution.builder import oci
from distribution.builder import push
from hypernetes.standalone.layout import Layout

SUITE = "bookworm"
BUILD_SECONDS = 1800.0
"""A slow mirror serves the 400 MB of the whole image's packages in minutes."""
# What nobody reads in a pod is a quarter of the bytes. The directories of manual pages stay, since update-alternatives
# makes links in them.
OMITTED = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*/*")
PROGRAMS = Path("mmdebstrap/usr/bin")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made of."""

    name: str
    packages: tuple[str, ...]

    @property
    def tag(self) -> str:
        """Return the digest of all that decides about the content, apart from the state of Debian's archive."""
        content = json.dumps([SUITE, OMITTED, sorted(self.packages)])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        """Return the image's name in the registry, as a pod's specification can have it."""
        return f"library/software-{self.name}:{self.tag}"

    def directory(self, layout: Layout) -> Path:
        """Return where the built image is kept."""
        return layout.cache / "software" / f"{self.name}-{self.tag}"


QUICK = Recipe(
    "quick", ("iputils-ping", "libpython3.11-testsuite", "nginx-light", "python3", "redis-server", "sqlite3")
)
WHOLE = Recipe(
    "whole",
    (
        *QUICK.packages,
        "default-jdk-headless",
        "git",
        "golang-go",
        "mariadb-server",
        "nodejs",
        "postgresql",
        "procps",
        "stress-ng",
    ),
)


def provide(recipe: Recipe, layout: Layout, report: Callable[[str], None]) -> str:
    """Build the image if the cache lacks it, and push it to the standalone's registry if that lacks it.

    :returns: its reference.
    :raises BuildError: when the registry does not take it.
    :raises subprocess.CalledProcessError: when apt or mmdebstrap fails.
    """
    kept = recipe.directory(layout)
    if not kept.is_dir():
        report(f"building {recipe.reference} from {len(recipe.packages)} Debian packages")
        _build(recipe, kept)
    programs = kept / "bin"
    programs.unlink(missing_ok=True)
    programs.symlink_to(layout.dist / "bin")
    # The registry that nodes pull from is read-only; the store is filled the way the quickstart fills it.
    push.fill_store(kept, layout.service("registry") / "store", report)
    return recipe.reference


def _build(recipe: Recipe, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{recipe.name}.") as directory:
        work = Path(directory)
        archive = work / "root.tar"
        _run(mmdebstrap_command(_mmdebstrap(work), recipe, archive), work)
        image = oci.Image(recipe.reference, layers=[], command=["/bin/sh"])
        oci.write_layout_of_archive(image, archive, work / "tree" / "images")
        shutil.move(work / "tree", target)


def mmdebstrap_command(program: Path, recipe: Recipe, archive: Path) -> list[str]:
    """Return the command line that installs a recipe's packages into an archive."""
    return [
        "perl",
        str(program),
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(sorted(recipe.packages))}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in OMITTED),
        SUITE,
        str(archive),
    ]


def _mmdebstrap(work: Path) -> Path:
    """Fetch mmdebstrap without installing it: one Perl program, which needs nothing but apt when it runs as root."""
    # apt's own unprivileged user could not enter the directory.
    _run(["apt-get", "download", "--quiet", "--option=APT::Sandbox::User=root", "mmdebstrap"], work)
    (package,) = work.glob("mmdebstrap_*.deb")
    _run(["dpkg-deb", "--extract", str(package), str(work / "mmdebstrap")], work)
    return work / PROGRAMS / "mmdebstrap"


def _run(argv: list[str], directory: Path) -> None:
    environment = {
        **os.environ,
        # mmdebstrap calls mmtarfilter, which is beside it.
        "PATH": f"{directory / PROGRAMS}:{os.environ['PATH']}",
        # With this set, equal packages make equal archives: reproducible-builds.org/specs/source-date-epoch.
        "SOURCE_DATE_EPOCH": "0",
        "TMPDIR": str(directory),
    }
    subprocess.run(
        argv,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=BUILD_SECONDS,
        check=True,
    )
