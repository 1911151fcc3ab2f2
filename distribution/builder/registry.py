# SPDX-License-Identifier: Apache-2.0
"""The image registry and the client that fills it."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

REGISTRY_MODULE = "distribution/modules/registry"
REGISTRY = "github.com/distribution/distribution/v3"
CRANE_MODULE = "distribution/modules/crane"
CRANE = "github.com/google/go-containerregistry/cmd/crane"


def build_registry(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/registry``."""
    context.go_build(
        context.root / REGISTRY_MODULE,
        {f"{REGISTRY}/cmd/registry": output / "bin" / "registry"},
        variables={f"{REGISTRY}/version.version": context.versions["registry"]["version"]},
    )


def build_crane(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/crane``."""
    context.go_build(
        context.root / CRANE_MODULE,
        {CRANE: output / "bin" / "crane"},
        variables={f"{CRANE}/cmd.Version": context.versions["crane"]["version"]},
    )


COMPONENTS = (
    Component(
        name="registry",
        build=build_registry,
        inputs=(REGISTRY_MODULE, "distribution/builder/registry.py"),
        versions=("registry",),
        go=True,
    ),
    Component(
        name="crane",
        build=build_crane,
        inputs=(CRANE_MODULE, "distribution/builder/registry.py"),
        versions=("crane",),
        go=True,
    ),
)
