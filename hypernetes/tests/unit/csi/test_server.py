# SPDX-License-Identifier: Apache-2.0
"""The driver over its socket: what csi-provisioner asks at its start, and how errors are reported."""

import hashlib
import stat
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import grpc
import testtools

from hypernetes.csi import controller
from hypernetes.csi import identity
from hypernetes.csi import protocol
from hypernetes.csi import provisioning
from hypernetes.csi import server
from hypernetes.model import errors
from hypernetes.openstack import cinder

GIB = controller.GIB
SPECIFICATION = "ddb9ed931187c577e900928f232f85e6"


class ServerTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger("hypernetes.csi"))
        self.provisioner = mock.create_autospec(provisioning.Provisioner, instance=True)
        self.provisioner.create.return_value = cinder.CinderVolume("v1", 2, "available")  # type: ignore[arg-type]
        self.socket = Path(self.useFixture(fixtures.TempDir()).path) / "csi/csi.sock"
        services = {
            identity.SERVICE: identity.methods(),
            controller.SERVICE: controller.Controller(self.provisioner).methods(),
        }
        running = server.serve(self.socket, services, workers=2)
        self.addCleanup(lambda: running.stop(None).wait())
        self.channel = grpc.insecure_channel(f"unix:{self.socket}")
        self.addCleanup(self.channel.close)

    def call(self, service: str, method: str, **fields: Any) -> Any:
        response = protocol.message(f"{method}Response")
        call: Any = self.channel.unary_unary(
            f"/csi.v1.{service}/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return call(protocol.message(f"{method}Request")(**fields), timeout=10)

    def create(self, mode: str = "SINGLE_NODE_WRITER", **fields: Any) -> Any:
        capability = protocol.message("VolumeCapability")(mount={"fs_type": "ext4"}, access_mode={"mode": mode})
        given = {
            "name": "pvc-1",
            "capacity_range": {"required_bytes": 2 * GIB - 1},
            "volume_capabilities": [capability],
            "parameters": {
                "type": "standard",
                "csi.storage.k8s.io/pvc/name": "data",
                "csi.storage.k8s.io/pvc/namespace": "web",
            },
        }
        return self.call("Controller", "CreateVolume", **(given | fields))

    def refused(self, code: grpc.StatusCode, **fields: Any) -> str:
        error: Any = self.assertRaises(grpc.RpcError, self.create, **fields)
        self.assertEqual(code, error.code())
        return str(error.details())

    def test_only_its_user_may_open_the_socket(self) -> None:
        self.assertEqual(0o600, stat.S_IMODE(self.socket.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(self.socket.parent.stat().st_mode))

    def test_it_says_who_it_is_and_what_it_can(self) -> None:
        self.assertEqual("cinder.csi.hypernetes.openstack.org", self.call("Identity", "GetPluginInfo").name)
        self.assertTrue(self.call("Identity", "Probe").ready.value)
        (offered,) = self.call("Identity", "GetPluginCapabilities").capabilities
        self.assertEqual(1, offered.service.type)
        rpcs = self.call("Controller", "ControllerGetCapabilities").capabilities
        self.assertEqual([1, 13], [one.rpc.type for one in rpcs])

    def test_a_volume_has_whole_gib_and_the_claim_s_names(self) -> None:
        volume = self.create().volume
        self.assertEqual(("v1", 2 * GIB), (volume.volume_id, volume.capacity_bytes))
        wish = provisioning.Wish("pvc-1", "web", "data", "standard", 2)
        self.provisioner.create.assert_called_once_with(wish)

    def test_what_no_gib_fits_is_out_of_range(self) -> None:
        few = {"required_bytes": 1, "limit_bytes": GIB - 1}
        self.refused(grpc.StatusCode.OUT_OF_RANGE, capacity_range=few)
        self.refused(grpc.StatusCode.OUT_OF_RANGE, capacity_range={"required_bytes": 2, "limit_bytes": 1})

    def test_what_is_not_offered_is_refused_with_the_remedy(self) -> None:
        text = self.refused(grpc.StatusCode.INVALID_ARGUMENT, mode="MULTI_NODE_MULTI_WRITER")
        self.assertIn("use ReadWriteOnce or ReadWriteOncePod", text)
        missing: tuple[dict[str, Any], ...] = ({"volume_capabilities": []}, {"name": ""}, {"parameters": {}})
        for fields in missing:
            self.refused(grpc.StatusCode.INVALID_ARGUMENT, **fields)
        source = {"snapshot": {"snapshot_id": "s"}}
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, volume_content_source=source)
        self.provisioner.create.assert_not_called()

    def test_errors_keep_their_remedy_and_have_the_codes_that_csi_provisioner_understands(self) -> None:
        cases: tuple[tuple[errors.HypernetesError, grpc.StatusCode], ...] = (
            (errors.QuotaExceeded(reason="no GiB left"), grpc.StatusCode.RESOURCE_EXHAUSTED),
            (cinder.VolumeTypeUnusable(type="fast"), grpc.StatusCode.FAILED_PRECONDITION),
            (server.Pending(reason="Wait"), grpc.StatusCode.ABORTED),
            (server.Mismatch(kind="volume", id="x", reason="size"), grpc.StatusCode.ALREADY_EXISTS),
            (errors.Unavailable(service="Cinder", reason="503"), grpc.StatusCode.UNAVAILABLE),
            (errors.NotFound(kind="volume", id="x"), grpc.StatusCode.NOT_FOUND),
        )
        for error, code in cases:
            self.provisioner.create.side_effect = error
            self.assertEqual(error.detail, self.refused(code))

    def test_an_unexpected_error_tells_nothing_of_itself(self) -> None:
        self.provisioner.create.side_effect = RuntimeError("s3cret")
        self.assertNotIn("s3cret", self.refused(grpc.StatusCode.INTERNAL))

    def test_a_volume_is_confirmed_for_what_is_offered(self) -> None:
        kind = protocol.message("VolumeCapability")
        good, bad = (
            kind(block={}, access_mode={"mode": mode}) for mode in ("SINGLE_NODE_WRITER", "MULTI_NODE_SINGLE_WRITER")
        )
        validate = ("Controller", "ValidateVolumeCapabilities")
        self.assertEqual(
            1, len(self.call(*validate, volume_id="v", volume_capabilities=[good]).confirmed.volume_capabilities)
        )
        answer = self.call(*validate, volume_id="v", volume_capabilities=[bad])
        self.assertFalse(answer.HasField("confirmed"))
        self.assertIn("not offered", answer.message)


class ProtocolTest(testtools.TestCase):
    def test_the_interface_is_the_released_one(self) -> None:
        source = Path(protocol.__file__).with_name("csi.proto")
        self.assertEqual(SPECIFICATION, hashlib.sha256(source.read_bytes()).hexdigest()[:32])
