# SPDX-License-Identifier: Apache-2.0
"""What is left when a project with a running pod is deleted in Keystone, and nobody has deleted its namespace."""

import contextlib
import tempfile
import uuid
from typing import Any

import openstack
import requests

from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import inventory

_NOTICED_SECONDS = 420
"""``[conductor] project_check_interval`` and the time that a namespace takes to end."""


class GoneProjectTest(base.IsolationTest):
    def setUp(self) -> None:
        super().setUp()
        self.admin = base.cloud("admin")
        self.identity = self.admin.identity
        name = f"gone-{uuid.uuid4().hex[:6]}"
        self.project = self.identity.create_project(name=name, domain_id="default")
        self.addCleanup(self.identity.delete_project, self.project.id, ignore_missing=True)
        password = uuid.uuid4().hex
        user = self.identity.create_user(name=name, password=password, domain_id="default")
        self.addCleanup(self.identity.delete_user, user.id)
        member = self.identity.find_role("member", ignore_missing=False)
        self.identity.assign_project_role_to_user(self.project, user, member)
        self.token = base.password_token(user.id, password, self.project.id)
        self.before = inventory.take()

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        return base.rest("admin", method, path, body, token=self.token)

    def kubernetes(self, method: str, path: str, body: Any = None) -> requests.Response:
        """What the apiserver answers the project's user."""
        clusters = base.rest("admin", "GET", "/v1/clusters").json()["clusters"]
        cluster = next(each for each in clusters if each["name"] == base.CLUSTER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(cluster["ca_certificate"])
            file.flush()
            headers = {"Authorization": f"Bearer {self.token}"}
            return requests.request(
                method, cluster["api_address"] + path, json=body, headers=headers, verify=file.name, timeout=60
            )

    def active(self) -> tuple[str, str]:
        """ID and name of a new namespace of the project that is ACTIVE."""
        name = f"gone-{uuid.uuid4().hex[:6]}"
        made = self.rest("POST", "/v1/namespaces", {"name": name, "cluster": base.CLUSTER}).json()
        base.eventually(
            lambda: self.rest("GET", f"/v1/namespaces/{made['id']}").json()["status"] == "ACTIVE", name, timeout=240
        )
        return made["id"], name

    def in_neutron(self) -> dict[str, list[str]]:
        """What Hypernetes made in the project and is still there."""
        network = self.admin.network
        listed = {
            "ports": network.ports,
            "networks": network.networks,
            "subnets": network.subnets,
            "routers": network.routers,
            "subnet pools": network.subnet_pools,
            "security groups": network.security_groups,
        }
        found = {
            kind: [item.id for item in items(project_id=self.project.id) if _is_ours(item)]
            for kind, items in listed.items()
        }
        return {kind: identifiers for kind, identifiers in found.items() if identifiers}

    def purge(self) -> None:
        """Delete what only a cloud administrator can delete."""
        network = self.admin.network
        for router in network.routers(project_id=self.project.id):
            for port in network.ports(device_id=router.id):
                with contextlib.suppress(openstack.exceptions.SDKException):
                    network.remove_interface_from_router(router, port_id=port.id)
            network.delete_router(router)
        for subnet in network.subnets(project_id=self.project.id):
            network.delete_subnet(subnet)
        for each in network.networks(project_id=self.project.id):
            network.delete_network(each)
        for pool in network.subnet_pools(project_id=self.project.id):
            network.delete_subnet_pool(pool)
        for group in network.security_groups(project_id=self.project.id):
            network.delete_security_group(group)

    def test_its_namespaces_pods_ports_and_records_go_and_the_rest_is_logged(self) -> None:
        self.addCleanup(self.purge)
        identifier, name = self.active()
        pods = f"/api/v1/namespaces/{name}/pods"
        base.eventually(lambda: self.kubernetes("POST", pods, base.pod("web")).status_code == 201, "pod", timeout=30)
        base.eventually(
            lambda: self.kubernetes("GET", f"{pods}/web").json()["status"]["phase"] == "Running",
            "the pod running",
            timeout=base.POD_START_SECONDS,
        )
        self.assertIn("ports", self.in_neutron())
        self.identity.delete_project(self.project.id)
        base.eventually(
            lambda: base.rest("admin", "GET", f"/v1/namespaces/{identifier}").status_code == 404,
            "the record gone",
            timeout=_NOTICED_SECONDS,
            interval=2,
        )
        self.assertNotEqual(0, base.kubectl("admin", "get", "namespace", name).status)
        base.eventually(
            lambda: not inventory.take().beyond(self.before), "nothing left on the node", timeout=120, interval=2
        )
        left = self.in_neutron()
        self.assertNotIn("ports", left)
        # Neutron may have accepted the conductor's last token; otherwise the operator finds the rest in the log.
        logs = [log.read_text(errors="replace") for log in base.LAYOUT.log.glob("hypernetes-conductor*.log")]
        for orphans in left.values():
            for orphan in orphans:
                self.assertTrue(any(orphan in text for text in logs), left)


def _is_ours(item: Any) -> bool:
    return (item.description or "").startswith("hypernetes:")
