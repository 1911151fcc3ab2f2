# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ's management API: a node's user, its permissions, its exchange and the one binding it needs.

A node owns the exchange ``hypernetes.<node>`` and queues that carry its name, and nothing else. Its exchange is
bound to ``hypernetes-agents`` for the routing key of calls, and to that exchange nothing is bound but the queues of
agents' calls. The binding's key alone would not confine it: RabbitMQ routes a message by its key and by those of its
CC and BCC headers, again at every exchange it comes to. Node names are DNS labels, so a dot, a colon or an underscore
ends them: ``node1`` has no right to what belongs to ``node10``.
"""

import re
import time
import urllib.parse
from collections.abc import Mapping

import requests
from oslo_config import cfg

from hypernetes.model import bus
from hypernetes.model import errors

_SERVICE = "RabbitMQ's management API"

USER_LIMITS = {"max-connections": 128, "max-channels": 256}
"""A node's share of the message bus. An agent's pool has up to 30 connections of one or two channels; after a network
failure the old connections count until RabbitMQ has missed their heartbeats."""


_KIB = 1024
POLICIES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    # What nodes may declare (hypernetes.model.bus): about 200 queues each, most of which never exist. An agent's
    # largest message, the order of a phase, has some 20 KiB.
    "hypernetes-node-queues": (
        r"^(hypernetes\.|hypernetes-agent\.|reply_[-a-z0-9]+:agent:)",
        {
            "max-length": 500,
            "max-length-bytes": 512 * _KIB,
            "overflow": "reject-publish",
            "message-ttl": 300_000,
            "expires": 3_600_000,
        },
    ),
    # The conductors' own, which all nodes share: calls older than every timeout are waited for by no agent.
    "hypernetes-agents-queue": (
        r"^hypernetes-agents(\.|_fanout|$)",
        {"max-length-bytes": 64 * 1024 * _KIB, "overflow": "reject-publish", "message-ttl": 120_000},
    ),
}
"""RabbitMQ's policies of the queues that nodes fill: name, pattern of the queues, definition (milliseconds, bytes)."""

_POLICY_SECONDS = 60.0
"""How long policies count as being there. Many nodes are looked at in a row, and all share them."""


def node_user(node: str) -> str:
    """Return the name of a node's RabbitMQ user."""
    return f"hypernetes-agent-{node}"


def permission_pattern(node: str) -> str:
    """Return RabbitMQ's regular expression of the names that a node's user may configure, write and read."""
    return f"^({bus.node_names_pattern(node)})$"


class RabbitmqAdmin:
    """Administers RabbitMQ for a conductor.

    Every method is idempotent and raises :class:`hypernetes.model.errors.Unavailable` when RabbitMQ does not answer
    in time or refuses the request.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.messaging
        self._base = options.management_url.rstrip("/") + "/api"
        self._auth = (options.management_user, options.management_password or "")
        self._verify: bool | str = options.management_ca_file or True
        self._timeout = options.management_timeout
        self._vhost = urllib.parse.quote(options.virtual_host, safe="")
        self._policies_until = 0.0

    def ensure_node(self, node: str, password: str) -> None:
        """Create the node's user with this password, and its permissions, exchange and binding."""
        user = urllib.parse.quote(node_user(node), safe="")
        self._request("PUT", f"/users/{user}", {"password": password, "tags": ""})
        self.ensure_topology(node)

    def ensure_topology(self, node: str) -> None:
        """Ensure the limits, permissions, exchange and binding of a node whose user exists, and the policies."""
        self._ensure_policies()
        user = urllib.parse.quote(node_user(node), safe="")
        for limit, value in USER_LIMITS.items():
            self._request("PUT", f"/user-limits/{user}/{limit}", {"value": value})
        pattern = permission_pattern(node)
        permissions = {"configure": pattern, "write": pattern, "read": pattern}
        self._request("PUT", f"/permissions/{self._vhost}/{user}", permissions)
        exchange = urllib.parse.quote(bus.agent_exchange(node), safe="")
        for name in (bus.AGENTS_EXCHANGE, exchange):
            self._request("PUT", f"/exchanges/{self._vhost}/{name}", {"type": "topic", "durable": True})
        bindings = f"/bindings/{self._vhost}/e/{exchange}/e"
        self._request("POST", f"{bindings}/{bus.AGENTS_EXCHANGE}", {"routing_key": bus.AGENTS_TOPIC})
        # Earlier versions bound it to the exchange the API publishes to, where CC and BCC reach the API's topic.
        for binding in self._list(f"{bindings}/{bus.CONDUCTOR_EXCHANGE}", missing_ok=True):
            key = urllib.parse.quote(binding["properties_key"], safe="")
            self._request("DELETE", f"{bindings}/{bus.CONDUCTOR_EXCHANGE}/{key}", missing_ok=True)

    def _ensure_policies(self) -> None:
        if time.monotonic() < self._policies_until:
            return
        for name, (pattern, definition) in POLICIES.items():
            body = {"pattern": pattern, "definition": definition, "apply-to": "queues", "priority": 10}
            self._request("PUT", f"/policies/{self._vhost}/{name}", body)
        self._policies_until = time.monotonic() + _POLICY_SECONDS

    def has_node(self, node: str) -> bool:
        """Return whether the node's user exists."""
        user = urllib.parse.quote(node_user(node), safe="")
        return self._request("GET", f"/users/{user}", missing_ok=True).ok

    def count_conductors(self) -> int:
        """Return how many conductors take the API's calls."""
        queue = self._request("GET", f"/queues/{self._vhost}/{bus.CONDUCTOR_TOPIC}?columns=consumers").json()
        return int(queue.get("consumers", 0))

    def remove_node(self, node: str) -> None:
        """Revoke a node: delete its user first, then its connections, queues and exchange."""
        name = node_user(node)
        self._request("DELETE", f"/users/{urllib.parse.quote(name, safe='')}", missing_ok=True)
        for connection in self._list("/connections?columns=name,user"):
            # RabbitMQ keeps the open connections of a deleted user until they are closed.
            if connection.get("user") == name:
                path = f"/connections/{urllib.parse.quote(connection['name'], safe='')}"
                self._request("DELETE", path, missing_ok=True)
        pattern = re.compile(permission_pattern(node))
        for queue in self._list(f"/queues/{self._vhost}?columns=name"):
            if pattern.fullmatch(queue["name"]):
                path = f"/queues/{self._vhost}/{urllib.parse.quote(queue['name'], safe='')}"
                self._request("DELETE", path, missing_ok=True)
        for exchange in self._list(f"/exchanges/{self._vhost}?columns=name"):
            if pattern.fullmatch(exchange["name"]):
                path = f"/exchanges/{self._vhost}/{urllib.parse.quote(exchange['name'], safe='')}"
                self._request("DELETE", path, missing_ok=True)

    def _list(self, path: str, *, missing_ok: bool = False) -> list[dict[str, str]]:
        response = self._request("GET", path, missing_ok=missing_ok)
        listed: list[dict[str, str]] = response.json() if response.ok else []
        return listed

    def _request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, missing_ok: bool = False
    ) -> requests.Response:
        try:
            response = requests.request(
                method, self._base + path, json=body, auth=self._auth, verify=self._verify, timeout=self._timeout
            )
        except requests.RequestException as error:
            # The exception's text holds the URL but never the password, which travels in a header.
            raise errors.Unavailable(service=_SERVICE, reason=type(error).__name__) from error
        if response.ok or (missing_ok and response.status_code == requests.codes.not_found):
            return response
        reason = f"{method} {path.partition('?')[0]} failed with status {response.status_code}"
        raise errors.Unavailable(service=_SERVICE, reason=reason)
