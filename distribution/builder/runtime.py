# SPDX-License-Identifier: Apache-2.0
"""The shim with which containerd runs each pod in its own virtual machine."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "runtime"
SHIM = "containerd-shim-hyper-v2"


def build(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/containerd-shim-hyper-v2``."""
    context.go_build(context.root / MODULE, {f"./cmd/{SHIM}": output / "bin" / SHIM})


COMPONENT = Component(
    name="runtime",
    build=build,
    inputs=(MODULE, "distribution/builder/runtime.py"),
    go=True,
)
