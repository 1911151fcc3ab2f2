# SPDX-License-Identifier: Apache-2.0
"""The list of components, those that take longest first."""

from __future__ import annotations

from . import containerd
from . import guest
from . import images
from . import kubernetes
from . import registry
from . import runc
from . import runtime
from .component import Component

COMPONENTS: tuple[Component, ...] = (
    kubernetes.COMPONENT,
    containerd.COMPONENT,
    *registry.COMPONENTS,
    runc.COMPONENT,
    runtime.COMPONENT,
    guest.COMPONENT,
    *images.COMPONENTS,
)
