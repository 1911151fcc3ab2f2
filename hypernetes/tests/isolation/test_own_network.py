# SPDX-License-Identifier: Apache-2.0
"""A namespace on a network that the tenant made itself, and the same asked of a stranger's network."""

import uuid
from typing import Any

from hypernetes.tests.isolation import base


def network(who: str, name: str) -> Any:
    """A network with a subnet, made by the tenant in Neutron."""
    made = base.cloud(who).network.create_network(name=name)
    base.cloud(who).network.create_subnet(network_id=made.id, ip_version=4, cidr="10.88.0.0/24")
    return made


class OwnNetworkTest(base.IsolationTest):
    def ask(self, network_id: str) -> base.Namespace:
        """Ask as red for a namespace on this network; it goes away with the test."""
        namespace = base.Namespace("red", "own", network_id=network_id)
        self.addCleanup(namespace.delete)
        return namespace

    def made_by(self, who: str) -> Any:
        made = network(who, f"own-{uuid.uuid4().hex[:6]}")
        self.addCleanup(base.cloud(who).network.delete_network, made)
        return made

    def test_the_tenant_s_own_network_is_used_and_stays(self) -> None:
        own = self.made_by("red")
        namespace = self.ask(own.id).wait_active()
        namespace.start_pod("one")
        namespace.wait_running("one")
        self.assertRegex(namespace.address("one"), r"^10\.88\.0\.")
        namespace.delete()
        self.assertEqual(own.id, base.cloud("red").network.get_network(own.id).id)
        self.assertEqual(
            [], list(base.cloud("red").network.ports(network_id=own.id, device_owner="compute:hypernetes"))
        )

    def test_a_stranger_s_network_is_as_one_that_is_not_there(self) -> None:
        theirs = self.made_by("blue")
        reasons = []
        for network_id in (theirs.id, str(uuid.uuid4())):
            namespace = self.ask(network_id)

            def refused(namespace: base.Namespace = namespace) -> str | None:
                record = namespace.record()
                self.assertNotEqual("ACTIVE", record["status"])
                return record["status_reason"] if record["status"] == "ERROR" else None

            reason = base.eventually(refused, "the namespace refused", timeout=60)
            self.assertIn(network_id, reason)
            reasons.append(reason.replace(network_id, "ID"))
            self.assertEqual(
                [], list(base.cloud("blue").network.ports(network_id=theirs.id, device_owner="compute:hypernetes"))
            )
            self.assertNotEqual(0, base.kubectl("admin", "get", "namespace", namespace.name).status)
        # Nothing in the message reveals that blue's network exists.
        self.assertEqual(reasons[0], reasons[1])
