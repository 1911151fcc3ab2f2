# SPDX-License-Identifier: Apache-2.0
"""runc as one static executable, for the host's own pods."""

from __future__ import annotations

import pathlib

from distribution.builder import debian
from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "distribution/modules/runc"
UPSTREAM = "github.com/opencontainers/runc"
# Upstream's own tags less libpathrs, a Rust library for which runc has a fallback in Go;
# netgo and osusergo because a static glibc cannot load its name service plug-ins.
TAGS = ("seccomp", "urfave_cli_no_docs", "netgo", "osusergo")


def build(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/runc`` with libseccomp taken from its Debian package."""
    seccomp = context.work / "libseccomp"
    debian.unpack(context, "libseccomp-dev", context.versions["runc"]["libseccomp"], seccomp)
    archive = next((seccomp / "usr" / "lib").glob("*/libseccomp.a"))
    context.go_build(
        context.root / MODULE,
        {UPSTREAM: output / "bin" / "runc"},
        tags=TAGS,
        static_c=True,
        env={
            # pkg-config would return this machine's libseccomp, if it has one at all.
            "PKG_CONFIG": str(_write_pkg_config(context.work, seccomp / "usr" / "include", archive)),
        },
    )


def _write_pkg_config(work: pathlib.Path, include: pathlib.Path, archive: pathlib.Path) -> pathlib.Path:
    """Write a replacement for pkg-config that describes the unpacked package.

    libseccomp-golang asks pkg-config alone, and Debian's answer names /usr.
    """
    script = work / "pkg-config"
    answers = f'case "$*" in *--cflags*) echo "-I{include}";; *--libs*) echo "-L{archive.parent} -lseccomp";; esac'
    script.write_text(f"#!/bin/sh\n{answers}\n")
    script.chmod(0o755)
    return script


COMPONENT = Component(
    name="runc",
    build=build,
    inputs=(MODULE, "distribution/builder/runc.py", "distribution/builder/debian.py"),
    versions=("runc",),
    go=True,
)
