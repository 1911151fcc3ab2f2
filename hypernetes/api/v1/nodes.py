# SPDX-License-Identifier: Apache-2.0
"""Nodes and their enrollment."""

import datetime
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from hypernetes.api import paging
from hypernetes.api import routing
from hypernetes.api.v1 import timestamps
from hypernetes.model import digests
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

_SECRET_BYTES = 32


def index(call: routing.Call) -> Mapping[str, Any]:
    """List the nodes, one page at a time."""
    filters = {name: call.query[name] for name in ("name", "cluster_id") if name in call.query}
    return paging.page(call, "nodes", call.services.database.nodes.list, view, **filters)


def show(call: routing.Call) -> Mapping[str, Any]:
    """Return a node."""
    return view(call.services.database.nodes.get(call.path["id"]))


def create(call: routing.Call) -> Mapping[str, Any]:
    """Create a node's record and the secret its agent enrolls with; the secret is shown only this once."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    lifetime = datetime.timedelta(seconds=call.services.conf.api.enrollment_secret_lifetime)
    node = call.services.database.nodes.create(
        records.Node(
            id=ids.NodeId(ids.new_uuid()),
            name=call.body["name"],
            status=states.NodeStatus.ENROLLING,
            secret_hash=digests.secret_digest(secret),
            secret_expires_at=datetime.datetime.now(datetime.UTC) + lifetime,
        )
    )
    expires = timestamps.format(node.secret_expires_at)
    return dict(view(node)) | {"enrollment_secret": secret, "enrollment_secret_expires_at": expires}


def update(call: routing.Call) -> Mapping[str, Any]:
    """Disable or enable the node. 409 while it is being deleted."""
    nodes = call.services.database.nodes
    reason = call.body.get("disabled_reason")
    if call.body["disabled"]:
        node = nodes.set_disabled(call.path["id"], reason)
    elif reason is None:
        node = nodes.set_enabled(call.path["id"])
    else:
        raise errors.BadRequest(reason="disabled_reason is allowed only if disabled is true")
    call.services.wake(kinds.Kind.NODE, node.id)
    return view(node)


def delete(call: routing.Call) -> None:
    """Request the deletion of the node; its token is invalid at once. 409 while it belongs to a cluster."""
    node = call.services.database.nodes.mark_deleting(call.path["id"])
    call.services.wake(kinds.Kind.NODE, node.id)


def enroll(call: routing.Call) -> Mapping[str, Any]:
    """Exchange an agent's secret for its access to the message bus. 401 if the secret is wrong, expired or used.

    Repeating the request with the same choices has the same result, so that an agent may crash at any point.
    """
    node = _verified(call)
    enrolled = call.services.conductor.enroll_node(
        messages.EnrollNode(node_id=node.id, amqp_password=call.body["amqp_password"])
    )
    return {
        "node": node.name,
        "transport_url": enrolled.transport_url,
        "exchange": enrolled.exchange,
        "topic": enrolled.topic,
    }


def _verified(call: routing.Call) -> records.Node:
    """Return the node whose secret was presented, after the agent's token was recorded."""
    nodes = call.services.database.nodes
    api = call.services.conf.api
    identifier = call.path["id"]
    if nodes.count_enrollment_failures(identifier) >= api.enrollment_failures_allowed:
        raise errors.TooManyRequests(kind=kinds.Kind.NODE, id=identifier, seconds=api.enrollment_failure_window)
    presented = digests.secret_digest(call.body["secret"])
    try:
        expected = nodes.get(identifier).secret_hash
        # The database compares as well, but not in constant time.
        if expected is None or not hmac.compare_digest(expected, presented):
            raise errors.Unauthenticated(what="enrollment secret")
        return nodes.enroll(identifier, secret_hash=presented, token_hash=call.body["token_hash"])
    except errors.NotFound as error:
        raise errors.Unauthenticated(what="enrollment secret") from error
    except errors.Unauthenticated:
        nodes.record_enrollment_failure(identifier, window=api.enrollment_failure_window)
        raise


def view(node: records.Node) -> Mapping[str, Any]:
    """Return the representation of a node, without the hashes of its secrets."""
    return {
        "id": node.id,
        "name": node.name,
        "status": node.status.value,
        "status_reason": node.status_reason,
        "cluster_id": node.cluster_id,
        "address": node.address,
        "agent_version": node.agent_version,
        "boot_id": node.boot_id,
        "membership": None if node.membership is None else node.membership.value,
        "membership_reason": node.membership_reason,
        "disabled": node.disabled,
        "disabled_reason": node.disabled_reason,
        "last_seen_at": timestamps.format(node.last_seen_at),
        "created_at": timestamps.format(node.created_at),
        "updated_at": timestamps.format(node.updated_at),
    }
