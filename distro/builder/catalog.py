# SPDX-License-Identifier: Apache-2.0
"""The list of components."""

from __future__ import annotations

from . import kubernetes
from .component import Component

COMPONENTS: tuple[Component, ...] = (kubernetes.COMPONENT,)
