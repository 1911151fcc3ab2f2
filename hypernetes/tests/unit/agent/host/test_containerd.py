# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.containerd."""

import tomllib
from pathlib import Path

import testtools

from hypernetes.agent.host import containerd
from hypernetes.tests.support import agent_builders

LAYOUT = agent_builders.layout(Path("/node"))


class ContainerdTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        plugins = tomllib.loads(containerd.configuration(LAYOUT, "registry.test/pause:1"))["plugins"]
        self.runtime = plugins["io.containerd.cri.v1.runtime"]
        self.images = plugins["io.containerd.cri.v1.images"]
        self.transfer = plugins["io.containerd.transfer.v1.local"]

    def test_tenants_pods_get_a_virtual_machine_from_erofs_layers_without_a_pause_image(self) -> None:
        hyper = self.runtime["containerd"]["runtimes"]["hyper"]
        self.assertEqual(
            ("io.containerd.hyper.v2", "shim", "erofs", True),
            (hyper["runtime_type"], hyper["sandboxer"], hyper["snapshotter"], hyper["disable_pause_image_pull"]),
        )

    def test_no_annotation_of_a_tenant_reaches_the_runtime(self) -> None:
        hyper = self.runtime["containerd"]["runtimes"]["hyper"]
        self.assertEqual(([], []), (hyper["pod_annotations"], hyper["container_annotations"]))

    def test_the_systems_pods_run_under_the_distributions_runc(self) -> None:
        runc = self.runtime["containerd"]["runtimes"]["runc"]
        self.assertEqual("/node/dist/bin/runc", runc["options"]["BinaryName"])
        self.assertEqual("registry.test/pause:1", self.images["pinned_images"]["sandbox"])

    def test_an_images_volume_is_a_directory_of_the_container_and_never_one_of_the_host(self) -> None:
        self.assertTrue(self.runtime["ignore_image_defined_volumes"])

    def test_what_a_node_cannot_or_need_not_do_is_switched_off(self) -> None:
        self.assertTrue(self.runtime["restrict_oom_score_adj"])
        self.assertTrue(self.runtime["netns_mounts_under_state_dir"])
        self.assertTrue(self.runtime["cni"]["use_internal_loopback"])

    def test_an_imported_image_is_unpacked_at_once_for_machines(self) -> None:
        (unpack,) = self.transfer["unpack_config"]
        self.assertEqual(("erofs", "walking"), (unpack["snapshotter"], unpack["differ"]))

    def test_ports_below_1024_and_ping_are_for_every_user(self) -> None:
        self.assertTrue(self.runtime["enable_unprivileged_ports"])
        self.assertTrue(self.runtime["enable_unprivileged_icmp"])

    def test_a_mirrored_host_is_never_asked_itself(self) -> None:
        hosts = tomllib.loads(containerd.hosts("https://mirror.test:5001", "/ca.pem"))
        self.assertEqual("https://mirror.test:5001", hosts["server"])
        self.assertEqual(["https://mirror.test:5001"], list(hosts["host"]))
        self.assertEqual(["/ca.pem", "/ca.pem"], [hosts["ca"], hosts["host"]["https://mirror.test:5001"]["ca"]])

    def test_there_is_one_file_for_each_mirrored_host(self) -> None:
        paths = containerd.files(LAYOUT, "pause", {"a.test": "https://m.test", "b.test": "https://m.test"}, None)
        self.assertEqual(
            {"/node/containerd/config.toml"}
            | {f"/node/containerd/certs.d/{host}/hosts.toml" for host in ("a.test", "b.test")},
            set(paths),
        )

    def test_the_program_finds_shims_in_the_distribution_first(self) -> None:
        program = containerd.program(LAYOUT)
        self.assertTrue(program.environment["PATH"].startswith("/node/dist/bin:"))
