# SPDX-License-Identifier: Apache-2.0
"""A cloud for commands: a service that is a dictionary, a connection that makes application credentials."""

import argparse
import functools
import io
from types import SimpleNamespace
from typing import Any

from openstack import exceptions as sdk

from hypernetes.sdk.cluster import Cluster
from hypernetes.sdk.cluster import ClusterHealth
from hypernetes.sdk.namespace import Namespace
from hypernetes.sdk.node import Node
from hypernetes.sdk.proxy import Proxy

CLUSTER_ID = "11111111-1111-4111-8111-111111111111"

_RESOURCES = {"cluster": Cluster, "node": Node, "namespace": Namespace}


def cluster(**changes: Any) -> Cluster:
    """An active cluster."""
    facts = {
        "id": CLUSTER_ID,
        "name": "demo",
        "status": "ACTIVE",
        "api_address": "https://198.51.100.11:6443",
        "ca_certificate": "PEM",
    }
    return Cluster(**{**facts, **changes})


class Service:
    """Plays :class:`hypernetes.sdk.proxy.Proxy`; each get takes the next of the states it was given."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.states: list[Any] = []
        self.calls: list[tuple[Any, ...]] = []
        self.health: Any = ClusterHealth(
            health="WARNING",
            checks=[
                {"name": "apiserver", "health": "OK", "detail": "https://198.51.100.11:6443 is ready."},
                {"name": "etcd", "health": "WARNING", "detail": "The database takes 1.60 GiB of 2.00 GiB (80%)."},
            ],
        )
        """None if the caller may not see it."""
        self.memberships: list[str | None] = []
        """How far a node is at each look."""
        self.created: dict[str, Any] = {}
        """What the response to a creation holds besides what was asked for."""

    def __getattr__(self, name: str) -> Any:
        """Return the method of a resource: ``find_cluster``, ``get_node``, ``create_namespace``."""
        verb, _, noun = name.partition("_")
        if noun not in _RESOURCES or verb not in ("find", "get", "create", "update", "delete"):
            raise AttributeError(name)
        # So that a test cannot pass on a method which the proxy does not have.
        getattr(Proxy, name)
        return functools.partial(getattr(self, f"_{verb}"), _RESOURCES[noun])

    def clusters(self, **query: Any) -> list[Any]:
        self.calls.append(("clusters", query))
        return self._of(Cluster)

    def nodes(self, **query: Any) -> list[Any]:
        self.calls.append(("nodes", query))
        return self._of(Node)

    def namespaces(self, **query: Any) -> list[Any]:
        self.calls.append(("namespaces", query))
        return self._of(Namespace)

    def get_cluster_health(self, identifier: str) -> Any:
        self.calls.append(("health", identifier))
        if self.health is None:
            raise sdk.ForbiddenException("Policy does not allow it.", http_status=403)
        return self.health

    def force_delete_cluster(self, identifier: str) -> None:
        self.calls.append(("force_delete", identifier))

    def add_cluster_node(self, identifier: str, node: str) -> None:
        self.calls.append(("add", identifier, node))

    def remove_cluster_node(self, identifier: str, node: str, *, force: bool) -> None:
        self.calls.append(("remove", identifier, node, force))

    def retry_cluster(self, identifier: str) -> Any:
        self.calls.append(("retry", identifier))
        return self._find(Cluster, identifier, ignore_missing=False)

    def _find(self, kind: Any, name_or_id: str, *, ignore_missing: bool) -> Any:
        for item in self._of(kind):
            if name_or_id in (item.id, item.name):
                return item
        raise sdk.NotFoundException(f"No {kind.__name__} found for {name_or_id}")

    def _get(self, kind: Any, identifier: str) -> Any:
        found = self._find(kind, identifier, ignore_missing=False)
        if kind is Node and self.memberships:
            return Node(**{**found.to_dict(computed=False), "membership": self.memberships.pop(0)})
        if not self.states:
            return found
        state = self.states.pop(0)
        if state is None:
            raise sdk.NotFoundException("gone")
        return kind(**{**found.to_dict(computed=False), "status": state})

    def _create(self, kind: Any, **attributes: Any) -> Any:
        self.calls.append(("create", kind, attributes))
        made = kind(id="new", status="CREATING", **attributes)
        self.items.append(made)
        return kind(id="new", status="CREATING", **attributes, **self.created) if self.created else made

    def _update(self, kind: Any, identifier: str, **attributes: Any) -> Any:
        self.calls.append(("update", kind, identifier, attributes))
        return self._find(kind, identifier, ignore_missing=False)

    def _delete(self, kind: Any, identifier: str, *, ignore_missing: bool) -> None:
        self.calls.append(("delete", kind, identifier))

    def _of(self, kind: Any) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


class Connection:
    """Plays openstacksdk's connection."""

    def __init__(self) -> None:
        self.current_user_id = "u1"
        self.current_project_id = "red"
        self.current_project = SimpleNamespace(id="red", name="Red")
        self.config = SimpleNamespace(auth={"auth_url": "https://keystone.example/v3"}, config={})
        self.identity = self
        self.made: list[dict[str, Any]] = []
        self.deleted: list[tuple[str, str]] = []
        self.refuses: Exception | None = None
        self.keeps: Exception | None = None
        self.agents: list[Any] = []
        self.network = SimpleNamespace(
            find_network=lambda name, ignore_missing: SimpleNamespace(id=f"id-of-{name}"), agents=lambda: self.agents
        )

    def create_application_credential(self, user: str, name: str, **attributes: Any) -> Any:
        if self.refuses is not None:
            raise self.refuses
        self.made.append({"user": user, "name": name, **attributes})
        return SimpleNamespace(id="c1", secret="planted-secret")

    def delete_application_credential(self, user: str, identifier: str) -> None:
        if self.keeps is not None:
            raise self.keeps
        self.deleted.append((user, identifier))


class App:
    """Plays the openstack program."""

    def __init__(self, service: Service) -> None:
        self.connection = Connection()
        self.login = SimpleNamespace(role_names=["member", "reader"])
        self.client_manager = SimpleNamespace(kube=service, sdk_connection=self.connection, auth_ref=self.login)
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()


def run(command: type[Any], app: App, *words: str) -> Any:
    """Parse a command's words and carry it out; the result is what cliff would print."""
    made = command(app, None)
    parser: argparse.ArgumentParser = made.get_parser("openstack kube")
    return made.take_action(parser.parse_args(list(words)))


def record(result: Any) -> dict[str, Any]:
    """Columns and values of one object."""
    return dict(zip(*result, strict=True))
