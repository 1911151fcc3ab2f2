# SPDX-License-Identifier: Apache-2.0
"""Identity is always an id, and ids of different things are different types."""

import uuid
from typing import NewType

ClusterId = NewType("ClusterId", str)
"""A cluster (dashed UUID)."""

NodeId = NewType("NodeId", str)
"""A node (dashed UUID)."""

NamespaceId = NewType("NamespaceId", str)
"""A namespace (dashed UUID), not the UID that Kubernetes gives its namespace."""

PortRecordId = NewType("PortRecordId", str)
"""The record of a pod's port (dashed UUID), not the Neutron port's ID."""

ProjectId = NewType("ProjectId", str)
"""A Keystone project (32 hex digits as Keystone writes it)."""

UserId = NewType("UserId", str)
"""A Keystone user."""

NetworkId = NewType("NetworkId", str)
"""A Neutron network."""

SubnetId = NewType("SubnetId", str)
"""A Neutron subnet."""

SubnetPoolId = NewType("SubnetPoolId", str)
"""A Neutron subnet pool."""

RouterId = NewType("RouterId", str)
"""A Neutron router."""

SecurityGroupId = NewType("SecurityGroupId", str)
"""A Neutron security group."""

PortPoolId = NewType("PortPoolId", str)
"""A pool of ready ports (dashed UUID)."""

NeutronPortId = NewType("NeutronPortId", str)
"""A Neutron port."""

VolumeRecordId = NewType("VolumeRecordId", str)
"""The record of a claim's volume (dashed UUID), not the Cinder volume's ID."""

CinderVolumeId = NewType("CinderVolumeId", str)
"""A Cinder volume."""

PodUid = NewType("PodUid", str)
"""The uid the apiserver gave a pod."""

SandboxId = NewType("SandboxId", str)
"""The id containerd gave a pod sandbox (64 hex digits)."""


def new_uuid() -> str:
    """A new random id in the dashed form used on every interface."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a UUID in the dashed lower-case form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
