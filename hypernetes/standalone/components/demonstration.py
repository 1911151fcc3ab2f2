# SPDX-License-Identifier: Apache-2.0
"""What two tenants would do first: a namespace each, two pods each, with the same addresses."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypernetes.model import labels
from hypernetes.standalone import client
from hypernetes.standalone import machine
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import cluster
from hypernetes.standalone.components import tenants
from hypernetes.standalone.installation import Installation

PODS = ("one", "two")
NAMESPACE_TIMEOUT = 180.0
POD_TIMEOUT = 240.0
# Both tenants ask for the same ones, in the first namespace's default subnet.
ADDRESSES = dict(zip(PODS, ("10.0.0.100", "10.0.0.101"), strict=True))


def pod(name: str) -> dict[str, Any]:
    """An ordinary pod: nothing in it says that it will be a virtual machine. The demonstration's own pin addresses."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": "demo"},
            "annotations": {labels.ADDRESS_ANNOTATION: ADDRESSES[name]} if name in ADDRESSES else {},
        },
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [
                {
                    "name": "demo",
                    "image": "demo",
                    "command": ["demo", "serve"],
                    # Without a request the limit would be one, and four whole processors are more than there are.
                    "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": "1", "memory": "64Mi"}},
                }
            ],
        },
    }


def start(installation: Installation) -> None:
    """Bring both tenants to two running pods with pairwise equal addresses."""
    with ThreadPoolExecutor(len(tenants.TENANTS)) as both:
        list(both.map(lambda user: _namespace(installation, user), tenants.TENANTS))
        list(both.map(lambda user: _pods(installation, user), tenants.TENANTS))


def _namespace(installation: Installation, user: str) -> None:
    """The user's namespace, named like the user, and a kubeconfig for it."""
    api = Api(installation, user)
    record = api.find("namespaces", user)
    if record is None or record["status"] != "ACTIVE":
        if record is None:
            client.openstack(
                installation, user, "kube", "namespace", "create", user, "--cluster", cluster.CLUSTER, "--wait",
                timeout=NAMESPACE_TIMEOUT,
            )  # fmt: skip

        def settled() -> bool:
            now = api.find("namespaces", user)
            if now and now["status"] == "ERROR":
                raise machine.StandaloneError(f"namespace {user}: {now['status_reason']}")
            return bool(now and now["status"] == "ACTIVE")

        machine.wait_until(settled, f"namespace {user} ACTIVE", timeout=NAMESPACE_TIMEOUT)
    client.ensure_kubeconfig(installation, user, cluster.CLUSTER)


def addresses_of(installation: Installation, user: str) -> dict[str, str]:
    """Addresses of the user's demonstration pods by pod, of those that run and are ready."""
    listed = json.loads(client.kubectl(installation, user, "-n", user, "get", "pods", "-l", "app=demo", "-o", "json"))
    found = {}
    for item in listed["items"]:
        conditions = item["status"].get("conditions", [])
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        if ready and item["metadata"]["name"] in PODS and "deletionTimestamp" not in item["metadata"]:
            found[item["metadata"]["name"]] = item["status"]["podIP"]
    return {address: name for name, address in found.items()}


def _pods(installation: Installation, user: str) -> None:
    """The user's pods; what an earlier run made is kept if it asks for the same addresses."""
    if set(addresses_of(installation, user)) == set(ADDRESSES.values()):
        return
    call = ["-n", user]
    client.kubectl(
        installation, user, *call, "delete", "pods", *PODS, "--ignore-not-found", "--wait=true", timeout=POD_TIMEOUT
    )
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(name) for name in PODS]})
    client.kubectl(installation, user, *call, "create", "-f", "-", stdin=text)
    client.kubectl(
        installation, user, *call, "wait", "--for=condition=Ready", "pod", *PODS,
        f"--timeout={POD_TIMEOUT:.0f}s", timeout=POD_TIMEOUT,
    )  # fmt: skip


def ready(installation: Installation) -> bool:
    """Return whether both tenants have their pods."""
    return all(set(addresses_of(installation, user)) == set(ADDRESSES.values()) for user in tenants.TENANTS)


COMPONENT = Component(
    name="demonstration",
    summary="namespaces and pods of red and blue",
    needs=("cluster", "tenants"),
    start=start,
    ready=ready,
)
