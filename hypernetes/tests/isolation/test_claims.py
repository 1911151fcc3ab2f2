# SPDX-License-Identifier: Apache-2.0
"""Claims of tenants become volumes of their projects, where the quickstart has Cinder (``up --with cinder``)."""

import json
import unittest
import uuid
from typing import Any

from hypernetes.standalone import addresses
from hypernetes.standalone import probes
from hypernetes.standalone.components import volumes
from hypernetes.tests.isolation import base

BOUND_SECONDS = 90


def available() -> bool:
    """Whether Cinder is there."""
    return probes.answers(f"{addresses.CINDER_URL}/healthcheck", ca_file=base.LAYOUT.ca_certificate)


@unittest.skipUnless(available(), "needs tools/quickstart up --with cinder")
class ClaimTest(unittest.TestCase):
    """In the demonstration's namespaces, which are called like their users."""

    def create(self, who: str, size: str = "1Gi", **spec: Any) -> str:
        """Make a claim; return its name."""
        manifest = volumes.claim(f"isolation-{uuid.uuid4().hex[:6]}", size)
        manifest["spec"] |= spec
        name = str(manifest["metadata"]["name"])
        made = base.kubectl(who, "-n", who, "create", "-f", "-", stdin=json.dumps(manifest))
        self.assertEqual(0, made.status, made.text)
        self.addCleanup(base.kubectl, who, "-n", who, "delete", "pvc", name, "--ignore-not-found", "--wait=false")
        return name

    def claim(self, who: str, name: str) -> Any:
        return base.kubectl_json(who, "-n", who, "get", "pvc", name)

    def bound(self, who: str, name: str) -> Any:
        def look() -> Any:
            found = self.claim(who, name)
            return found if found["status"].get("phase") == "Bound" else None

        return base.eventually(look, f"{name} of {who} bound", timeout=BOUND_SECONDS)

    def volume(self, who: str, name: str) -> Any:
        """Return the volume of that name among those that a user sees, or None."""
        return next((one for one in base.cloud(who).block_storage.volumes(details=True) if one.name == name), None)

    def refusal(self, who: str, name: str) -> str:
        """Return the message of the event that says why a claim has no volume."""

        def look() -> str:
            events = base.kubectl_json(
                who, "-n", who, "get", "events", "--field-selector", f"involvedObject.name={name}"
            )
            found = [str(one["message"]) for one in events["items"] if one["reason"] == "ProvisioningFailed"]
            return found[-1] if found else ""

        return base.eventually(look, f"an event of {name}", timeout=BOUND_SECONDS)

    def test_a_claim_s_volume_is_its_project_s_and_goes_with_it(self) -> None:
        name = self.create("red", "1100Mi")
        claim = self.bound("red", name)
        own = self.volume("red", claim["spec"]["volumeName"])
        self.assertEqual(("available", 2), (own.status, own.size))
        expected = {"kubernetes.cluster": base.CLUSTER, "kubernetes.namespace": "red", "kubernetes.claim": name}
        self.assertEqual(expected, {key: own.metadata[key] for key in expected})
        self.assertEqual("2Gi", claim["status"]["capacity"]["storage"])
        self.assertIsNone(self.volume("blue", own.name))
        # The same words find a volume of blue's own.
        theirs = self.bound("blue", self.create("blue"))["spec"]["volumeName"]
        self.assertIsNotNone(self.volume("blue", theirs))
        self.assertEqual(0, base.kubectl("red", "-n", "red", "delete", "pvc", name).status)
        base.eventually(lambda: self.volume("red", own.name) is None, "the end of the volume", timeout=BOUND_SECONDS)

    def test_what_exceeds_the_quota_has_an_event_that_says_what_to_do(self) -> None:
        message = self.refusal("red", self.create("red", "5Ti"))
        self.assertIn("quota", message)
        self.assertIn("ask the operator to raise the project's quota", message)

    def test_an_access_mode_that_is_not_offered_has_an_event_that_names_those_that_are(self) -> None:
        name = self.create("red", accessModes=["ReadWriteMany"])
        self.assertIn("use ReadWriteOnce or ReadWriteOncePod", self.refusal("red", name))

    def test_a_tenant_makes_no_persistent_volume_and_no_class(self) -> None:
        source = {"driver": "cinder.csi.hypernetes.openstack.org", "volumeHandle": str(uuid.uuid4())}
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": source}
        attempts: tuple[dict[str, Any], ...] = (
            {"apiVersion": "v1", "kind": "PersistentVolume", "spec": spec},
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": source["driver"]},
        )
        for manifest in attempts:
            body = json.dumps(manifest | {"metadata": {"name": "isolation-forged"}})
            refused = base.kubectl("red", "create", "-f", "-", stdin=body)
            self.assertNotEqual(0, refused.status)
            self.assertIn("Forbidden", refused.text)
        self.assertEqual(0, base.kubectl("red", "get", "storageclass", "standard").status)
