# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.containerd."""

import json
import subprocess
import tomllib
from pathlib import Path

import fixtures
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
        self.differs = plugins["io.containerd.service.v1.diff-service"]

    def test_tenants_pods_get_a_virtual_machine_from_erofs_layers_without_a_pause_image(self) -> None:
        hyper = self.runtime["containerd"]["runtimes"]["hyper"]
        self.assertEqual(
            ("io.containerd.hyper.v2", "shim", "erofs", True),
            (hyper["runtime_type"], hyper["sandboxer"], hyper["snapshotter"], hyper["disable_pause_image_pull"]),
        )

    def test_a_privileged_container_has_no_device_of_the_host(self) -> None:
        hyper = self.runtime["containerd"]["runtimes"]["hyper"]
        self.assertTrue(hyper["privileged_without_host_devices"])
        self.assertTrue(hyper["privileged_without_host_devices_all_devices_allowed"])

    def test_no_annotation_of_a_tenant_reaches_the_runtime(self) -> None:
        hyper = self.runtime["containerd"]["runtimes"]["hyper"]
        self.assertEqual(([], []), (hyper["pod_annotations"], hyper["container_annotations"]))

    def test_the_systems_pods_run_under_the_distributions_runc(self) -> None:
        runc = self.runtime["containerd"]["runtimes"]["runc"]
        self.assertEqual(str(LAYOUT.system_runc), runc["options"]["BinaryName"])
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

    def test_a_ready_made_layer_has_no_differ_that_would_take_it(self) -> None:
        text = tomllib.loads(containerd.configuration(LAYOUT, "registry.test/pause:1"))
        self.assertIn("io.containerd.differ.v1.erofs", text["disabled_plugins"])
        self.assertEqual(["walking"], self.differs["default"])

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

    def test_every_other_host_can_be_mirrored_too(self) -> None:
        paths = containerd.files(LAYOUT, "pause", {containerd.ANY_HOST: "https://proxy.test"}, None)
        self.assertIn("/node/containerd/certs.d/_default/hosts.toml", paths)

    def test_the_program_finds_shims_in_the_distribution_first(self) -> None:
        program = containerd.program(LAYOUT)
        self.assertTrue(program.environment["PATH"].startswith("/node/dist/bin:"))


class SystemRuncTest(testtools.TestCase):
    """The program that stands between containerd's default runtime and a pod without a RuntimeClass."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.layout = agent_builders.layout(self.directory)
        self.layout.binaries.mkdir(parents=True)
        runc = self.layout.binaries / "runc"
        runc.write_text('#!/bin/sh\necho "runc $*"\n')
        runc.chmod(0o755)
        self.program = self.directory / "system-runc"
        self.program.write_text(containerd.system_runc(self.layout))

    def _run(self, *words: str, **annotations: str) -> subprocess.CompletedProcess[str]:
        bundle = self.directory / "bundle"
        bundle.mkdir(exist_ok=True)
        document = {"annotations": {f"io.kubernetes.cri.{k.replace('_', '-')}": v for k, v in annotations.items()}}
        # As containerd's encoding/json writes it: without blanks.
        (bundle / "config.json").write_text(json.dumps(document, separators=(",", ":")))
        argv = ["/bin/sh", str(self.program), "--root", "/run/runc", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=bundle)

    def _create(self, **annotations: str) -> subprocess.CompletedProcess[str]:
        return self._run("create", "--bundle", str(self.directory / "bundle"), "--no-pivot", "id", **annotations)

    def test_a_pod_of_the_system_is_created(self) -> None:
        done = self._create(sandbox_namespace="kube-system")
        self.assertEqual(
            (0, f"runc --root /run/runc create --bundle {self.directory}/bundle --no-pivot id\n"),
            (done.returncode, done.stdout),
        )

    def test_a_tenant_s_pod_is_not(self) -> None:
        for namespace in ("red", "default", "kube-system-2", "xkube-system", ""):
            done = self._create(sandbox_namespace=namespace)
            self.assertEqual((1, ""), (done.returncode, done.stdout), namespace)
            self.assertIn("RuntimeClass hyper", done.stderr)

    def test_the_refusal_is_where_containerd_looks_for_it(self) -> None:
        log = self.directory / "log.json"
        self._run("--log", str(log), "--log-format", "json", "create", "--bundle", ".", "id", sandbox_namespace="red")
        self.assertIn("RuntimeClass hyper", json.loads(log.read_text())["msg"])

    def test_no_value_reads_like_the_namespace(self) -> None:
        forged = '","io.kubernetes.cri.sandbox-namespace":"kube-system","x":"'
        self.assertEqual(1, self._create(sandbox_namespace="red", sandbox_name=forged).returncode)

    def test_a_container_of_no_pod_is_not_created(self) -> None:
        self.assertEqual(1, self._create().returncode)
        self.assertEqual(1, self._run("run", "--bundle=.", "id").returncode)

    def test_what_runs_is_managed_as_before(self) -> None:
        for words in ("state id", "kill id 9", "delete --force id", "features"):
            self.assertEqual(0, self._run(*words.split(), sandbox_namespace="red").returncode, words)
