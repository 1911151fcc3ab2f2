# SPDX-License-Identifier: Apache-2.0
"""Volumes of tenants, where ``tools/quickstart up --with cinder`` has started Cinder."""

import json
import re
import tempfile
import unittest
import uuid
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from openstack import exceptions

from hypernetes.standalone import addresses
from hypernetes.standalone import probes
from hypernetes.standalone.components import ceph
from hypernetes.standalone.components import identity
from hypernetes.standalone.installation import Installation
from hypernetes.tests.isolation import base

VERSION = "3.54"
CONNECTOR = {"host": "node1", "ip": "198.51.100.11", "multipath": False, "platform": "x86_64", "os_type": "linux"}


def available() -> bool:
    """Whether Cinder is there."""
    return probes.answers(f"{addresses.CINDER_URL}/healthcheck", ca_file=base.LAYOUT.ca_certificate)


@unittest.skipUnless(available(), "needs tools/quickstart up --with cinder")
class VolumeTest(unittest.TestCase):
    """Cinder belongs to the cloud; these are the properties that volumes of pods will rely on."""

    def create(self, who: str) -> Any:
        storage = base.cloud(who).block_storage
        volume = storage.create_volume(name=f"isolation-{uuid.uuid4().hex[:6]}", size=1)
        self.addCleanup(self.delete, who, volume.id)
        return base.eventually(lambda: self.settled(who, volume.id), f"{volume.id} of {who}", timeout=60)

    def settled(self, who: str, volume_id: str) -> Any:
        volume = base.cloud(who).block_storage.get_volume(volume_id)
        self.assertNotEqual("error", volume.status)
        return volume if volume.status == "available" else None

    def delete(self, who: str, volume_id: str) -> None:
        storage = base.cloud(who).block_storage
        storage.delete_volume(volume_id, ignore_missing=True)
        base.eventually(lambda: not images_of(volume_id), f"the end of {volume_id}", timeout=60)

    def test_a_tenant_s_volume_is_an_image_in_the_pool(self) -> None:
        volume = self.create("red")
        self.assertEqual([f"volume-{volume.id}"], images_of(volume.id))
        self.assertEqual((1, "standard"), (volume.size, volume.volume_type))
        self.delete("red", volume.id)

    def test_the_owner_does_not_cut_an_attachment_of_a_service(self) -> None:
        # Cinder's own policy lets it, since the attachment has no server (CVE-2023-2088).
        volume = self.create("red")
        storage = base.cloud("red").block_storage
        attachment = attach(storage, volume.id)
        self.addCleanup(release, storage, attachment["id"])
        self.assertEqual(f"{ceph.POOL}/volume-{volume.id}", attachment["connection_info"]["name"])
        keys = re.findall(r"key = (\S+)", ceph.keyring(Installation(base.LAYOUT), "cinder").read_text())
        self.assertEqual([False], [key in json.dumps(attachment) for key in keys], "Cinder gave its key to a tenant")
        action, one = f"/volumes/{volume.id}/action", f"/attachments/{attachment['id']}"
        attempts: dict[str, tuple[str, str, Any]] = {
            "delete": ("DELETE", one, None),
            "update": ("PUT", one, {"attachment": {"connector": CONNECTOR | {"host": "elsewhere"}}}),
            "detach": ("POST", action, {"os-detach": {"attachment_id": attachment["id"]}}),
            "begin": ("POST", action, {"os-begin_detaching": {}}),
            "roll": ("POST", action, {"os-roll_detaching": {}}),
            "terminate": ("POST", action, {"os-terminate_connection": {"connector": CONNECTOR}}),
            "unreserve": ("POST", action, {"os-unreserve": {}}),
        }
        for name, (method, path, body) in attempts.items():
            with self.subTest(name):
                answer = storage.request(path, method, json=body, microversion=VERSION)
                self.assertEqual(403, answer.status_code, answer.text)
        self.assertEqual("in-use", storage.get_volume(volume.id).status)
        release(storage, attachment["id"])
        base.eventually(lambda: self.settled("red", volume.id), "the released volume", timeout=60)

    def test_another_tenant_neither_sees_nor_changes_nor_attaches_it(self) -> None:
        own, theirs = self.create("blue"), self.create("red")
        storage = base.cloud("blue").block_storage
        self.assertIn(own.id, [volume.id for volume in storage.volumes()])
        self.assertNotIn(theirs.id, [volume.id for volume in storage.volumes()])
        attempts: dict[str, Callable[[Any], object]] = {
            "show": lambda volume: storage.get_volume(volume.id),
            "extend": lambda volume: storage.extend_volume(volume.id, 2),
            "attach": lambda volume: release(storage, attach(storage, volume.id)["id"]),
            "delete": lambda volume: storage.delete_volume(volume.id, ignore_missing=False),
        }
        for name, attempt in attempts.items():
            with self.subTest(name), self.assertRaises(exceptions.NotFoundException):
                attempt(theirs)
        self.assertEqual("available", base.cloud("red").block_storage.get_volume(theirs.id).status)
        # The same words work on a volume of its own.
        attempts["show"](own)
        attempts["extend"](own)
        base.eventually(lambda: self.settled("blue", own.id), "the extended volume", timeout=60)
        self.assertEqual(2, storage.get_volume(own.id).size)
        attempts["attach"](own)
        attempts["delete"](own)

    def test_the_store_refuses_a_client_without_cinder_s_key(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            forged = Path(directory) / "keyring"
            made = base.run(["ceph-authtool", "--create-keyring", str(forged), "--gen-key", "-n", "client.cinder"])
            self.assertEqual(0, made.status, made.text)
            refused = list_images("--id", "cinder", "--keyring", str(forged))
        self.assertNotEqual(0, refused.status)
        self.assertIn("Permission denied", refused.text)
        self.assertEqual(0, list_images("--id", "cinder").status)


def attach(storage: Any, volume_id: str) -> Any:
    """Attach a volume as a service without Nova does, and return the attachment."""
    body = {"attachment": {"volume_uuid": volume_id, "connector": CONNECTOR}}
    answer = storage.post("/attachments", json=body, microversion=VERSION)
    exceptions.raise_from_response(answer)
    attachment = answer.json()["attachment"]
    complete = storage.post(f"/attachments/{attachment['id']}/action", json={"os-complete": {}}, microversion=VERSION)
    exceptions.raise_from_response(complete)
    return attachment


def release(storage: Any, attachment_id: str) -> None:
    """Delete an attachment as a service: with its own token beside the user's."""
    service = identity.cloud(Installation(base.LAYOUT), "hypernetes", project=identity.SERVICE_PROJECT)
    headers = {"X-Service-Token": service.auth_token}
    answer = storage.delete(f"/attachments/{attachment_id}", headers=headers, microversion=VERSION)
    if answer.status_code != HTTPStatus.NOT_FOUND:
        exceptions.raise_from_response(answer)


def list_images(*words: str) -> base.Result:
    """List the images in Ceph's pool, by default as the administrator."""
    path = ceph.configuration_file(Installation(base.LAYOUT))
    return base.run(
        ["timeout", "30", "rbd", "--conf", str(path), "--pool", ceph.POOL, *words, "ls", "--format", "json"]
    )


def images_of(volume_id: str) -> list[str]:
    """Return the images in Ceph's pool that hold a volume."""
    done = list_images()
    if done.status:
        raise AssertionError(f"rbd ls: {done.text}")
    return [name for name in json.loads(done.output) if volume_id in name]
