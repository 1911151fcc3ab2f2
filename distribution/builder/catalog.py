# SPDX-License-Identifier: Apache-2.0
"""The list of components, the slowest first."""

from __future__ import annotations

from distribution.builder import containerd
from distribution.builder import csi
from distribution.builder import guest
from distribution.builder import images
from distribution.builder import kubernetes
from distribution.builder import registry
from distribution.builder import runc
from distribution.builder import runtime
from distribution.builder.component import Component

COMPONENTS: tuple[Component, ...] = (
    kubernetes.COMPONENT,
    containerd.COMPONENT,
    *registry.COMPONENTS,
    runc.COMPONENT,
    runtime.COMPONENT,
    guest.COMPONENT,
    *images.COMPONENTS,
    csi.COMPONENT,
)
