# SPDX-License-Identifier: Apache-2.0
"""containerd, its client ctr, and the shim for runc."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "distribution/modules/containerd"
UPSTREAM = "github.com/containerd/containerd/v2"
PROGRAMS = ("containerd", "ctr", "containerd-shim-runc-v2")
# Snapshotters that need C libraries or kernel modules and that nothing here uses.
TAGS = ("no_btrfs", "no_devmapper", "no_zfs")


def build(output: pathlib.Path, context: Context) -> None:
    """Compile the programs into ``bin/``."""
    context.go_build(
        context.root / MODULE,
        {f"{UPSTREAM}/cmd/{program}": output / "bin" / program for program in PROGRAMS},
        variables={f"{UPSTREAM}/version.Version": context.versions["containerd"]["version"]},
        tags=TAGS,
    )


COMPONENT = Component(
    name="containerd",
    build=build,
    inputs=(MODULE, "distribution/builder/containerd.py"),
    versions=("containerd",),
    go=True,
)
