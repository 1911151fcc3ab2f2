# SPDX-License-Identifier: Apache-2.0
"""Nodes."""

from openstack import resource

from hypernetes.sdk import base


class Node(base.Resource):
    """A machine on which an agent runs."""

    resources_key = "nodes"
    base_path = "/nodes"
    _query_mapping = base.QueryParameters("name", "cluster_id")
    allow_commit = True
    commit_method = "PATCH"

    cluster_id = resource.Body("cluster_id")
    address = resource.Body("address")
    agent_version = resource.Body("agent_version")
    last_seen_at = resource.Body("last_seen_at")
    """Time of the last heartbeat."""
    membership = resource.Body("membership")
    """How far a worker is on its way into its cluster or out of it; MEMBER once it is Ready, None for other nodes."""
    membership_reason = resource.Body("membership_reason")
    """What that waits for, or why it failed."""
    disabled = resource.Body("disabled", type=bool)
    """Whether the operator wants no new pods there."""
    disabled_reason = resource.Body("disabled_reason")
    enrollment_secret = resource.Body("enrollment_secret")
    """Returned once, by the request that creates the node."""
    enrollment_secret_expires_at = resource.Body("enrollment_secret_expires_at")
