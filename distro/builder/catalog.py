# SPDX-License-Identifier: Apache-2.0
"""The list of components, those that take longest first."""

from __future__ import annotations

from distro.builder import containerd
from distro.builder import guest
from distro.builder import images
from distro.builder import kubernetes
from distro.builder import registry
from distro.builder import runc
from distro.builder import runtime
from distro.builder.component import Component

COMPONENTS: tuple[Component, ...] = (
    kubernetes.COMPONENT,
    containerd.COMPONENT,
    *registry.COMPONENTS,
    runc.COMPONENT,
    runtime.COMPONENT,
    guest.COMPONENT,
    *images.COMPONENTS,
)
