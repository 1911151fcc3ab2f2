# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes types that conductors handle, so that no other package imports lightkube."""

from lightkube.resources.core_v1 import Event
from lightkube.resources.core_v1 import Namespace
from lightkube.resources.core_v1 import Node
from lightkube.resources.core_v1 import Pod
from lightkube.resources.core_v1 import ServiceAccount

__all__ = ["Event", "Namespace", "Node", "Pod", "ServiceAccount"]
