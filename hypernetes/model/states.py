# SPDX-License-Identifier: Apache-2.0
"""The states a cluster, a node, a namespace and a port can be in, and what a check may find, each with its meaning."""

import enum


class ClusterStatus(enum.StrEnum):
    """Where a cluster stands on its way from intent to a working control plane."""

    CREATING = "CREATING"
    """Requested; the conductor is driving the bootstrap phases on its control nodes."""

    ACTIVE = "ACTIVE"
    """The apiserver answers and has every object that Hypernetes installs."""

    ERROR = "ERROR"
    """A phase failed; ``status_reason`` names it and the remedy. The conductor resumes on request."""

    DELETING = "DELETING"
    """Being deleted; the record disappears when its control nodes have been reset."""


class NodeStatus(enum.StrEnum):
    """Whether a node can be used."""

    ENROLLING = "ENROLLING"
    """The record and its one-time secret exist; no agent has presented the secret yet."""

    UP = "UP"
    """The agent reported within the last ``[conductor] node_down_after`` seconds."""

    DOWN = "DOWN"
    """The agent has been silent for longer than that. What runs there may still be running."""

    DELETING = "DELETING"
    """Being deleted; the record disappears when its credentials have been revoked."""


class Membership(enum.StrEnum):
    """How far a worker node is on its way into its cluster, or out of it. A control node has none."""

    PREPARING = "PREPARING"
    """To be added: the agent starts containerd and makes the key of the kubelet's certificate."""

    JOINING = "JOINING"
    """The cluster signs that certificate, and the agent has kubeadm configure the kubelet."""

    STARTING = "STARTING"
    """The kubelet runs; the Kubernetes node is not Ready yet."""

    MEMBER = "MEMBER"
    """The Kubernetes node was seen Ready; pods can run."""

    DRAINING = "DRAINING"
    """To be removed: cordoned, and its pods are being evicted."""

    RESETTING = "RESETTING"
    """Its pods are gone; the agent removes what belongs to the cluster."""

    LOST = "LOST"
    """To be removed by force: neither its pods nor its agent are waited for."""

    LEAVING = "LEAVING"
    """Reset or lost: its Kubernetes node and its ports are being deleted."""


class NamespaceStatus(enum.StrEnum):
    """Where a namespace stands between intent and a usable network and Kubernetes namespace."""

    CREATING = "CREATING"
    """Requested; network, Kubernetes namespace or roles are not all there yet."""

    ACTIVE = "ACTIVE"
    """Everything exists as recorded; pods can run."""

    ERROR = "ERROR"
    """A step was refused for good (quota, a taken name); ``status_reason`` says which and what to do."""

    DELETING = "DELETING"
    """Being deleted; the record disappears when pods, ports and networks are gone."""


class PortStatus(enum.StrEnum):
    """Where a pod's Neutron port stands."""

    CREATING = "CREATING"
    """Recorded as intent; Neutron may or may not know it already."""

    READY = "READY"
    """In a pool: Neutron has it, and no sandbox uses it yet."""

    ACTIVE = "ACTIVE"
    """Neutron has it and its id is recorded."""

    DELETING = "DELETING"
    """Its pod is gone; the record disappears when Neutron no longer has the port."""


class Health(enum.StrEnum):
    """What a check of a cluster has found; the later in this list, the worse."""

    OK = "OK"
    """As it should be."""

    UNKNOWN = "UNKNOWN"
    """It could not be found out, because of what another check has found."""

    WARNING = "WARNING"
    """It works, but an operator should look at it."""

    ERROR = "ERROR"
    """It does not work."""
