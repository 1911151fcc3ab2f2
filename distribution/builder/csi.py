# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' sidecars of CSI drivers; only where volumes are wanted, since nothing else needs them."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "distribution/modules/csi"
PROVISIONER = "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner"


def build(output: pathlib.Path, context: Context) -> None:
    """Compile ``bin/csi-provisioner``."""
    context.go_build(
        context.root / MODULE,
        {PROVISIONER: output / "bin/csi-provisioner"},
        variables={"main.version": context.versions["csi"]["provisioner"]},
    )


COMPONENT = Component(
    name="csi",
    build=build,
    inputs=(MODULE, "distribution/builder/csi.py"),
    versions=("csi",),
    go=True,
    optional=True,
)
