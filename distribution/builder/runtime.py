# SPDX-License-Identifier: Apache-2.0
"""The shim with which containerd runs each pod in its own virtual machine, and the keeper of their templates."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "runtime"
PROGRAMS = ("containerd-shim-hyper-v2", "hypernetes-templates")


def build(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/containerd-shim-hyper-v2`` and ``bin/hypernetes-templates``."""
    context.go_build(context.root / MODULE, {f"./cmd/{name}": output / "bin" / name for name in PROGRAMS})


COMPONENT = Component(
    name="runtime",
    build=build,
    inputs=(MODULE, "distribution/builder/runtime.py"),
    go=True,
)
