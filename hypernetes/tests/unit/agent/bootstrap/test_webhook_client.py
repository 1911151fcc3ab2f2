# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.webhook_client."""

from pathlib import Path

import fixtures
import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent.bootstrap import webhook_client
from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.tests.support import agent_builders

MANIFEST = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube-apiserver"}}


class WebhookClientTest(agent_builders.PhaseTest):
    def setUp(self) -> None:
        super().setUp()
        self.given = Path(self.useFixture(fixtures.TempDir()).path)
        for name in ("crt", "key"):
            (self.given / f"client.{name}").write_text(name)
        self.kubeconfig = self.layout.cluster_files / "webhook.yaml"
        self.kubeconfig.parent.mkdir(parents=True)
        self.kubeconfig.write_text(apiserver_files.webhook_kubeconfig("https://192.0.2.1:9519/x", "PEM"))
        self.manifest = self.layout.kubernetes / "manifests/kube-apiserver.yaml"

    def _configure(self) -> None:
        self.node.conf.set_override("webhook_client_cert_file", str(self.given / "client.crt"), group="node")
        self.node.conf.set_override("webhook_client_key_file", str(self.given / "client.key"), group="node")

    def _user(self) -> dict[str, str]:
        one, other = yaml.safe_load(self.kubeconfig.read_text())["users"]
        # An admission webhook's user is named as its host.
        self.assertEqual(("192.0.2.1:9519", one["user"]), (other["name"], other["user"]))
        return dict(one["user"])

    def test_without_a_certificate_there_is_none(self) -> None:
        webhook_client.install(self.node)
        self.assertEqual({}, self._user())

    def test_the_apiserver_uses_copies_where_it_can_read_them(self) -> None:
        self._configure()
        webhook_client.install(self.node)
        wanted = {
            "client-certificate": f"{apiserver_files.DIRECTORY}/webhook-client.crt",
            "client-key": f"{apiserver_files.DIRECTORY}/webhook-client.key",
        }
        self.assertEqual(wanted, self._user())
        key = self.layout.cluster_files / "webhook-client.key"
        self.assertEqual(("key", 0o600), (key.read_text(), key.stat().st_mode & 0o777))

    def test_a_certificate_that_cannot_be_read_fails_the_phase(self) -> None:
        self._configure()
        (self.given / "client.crt").unlink()
        self.assertRaises(bootstrap.NodePhaseFailed, webhook_client.install, self.node)

    def test_a_running_apiserver_is_restarted_for_its_first_certificate_and_not_for_the_next(self) -> None:
        self.manifest.parent.mkdir(parents=True)
        self.manifest.write_text(yaml.safe_dump(MANIFEST))
        webhook_client.refresh(self.node)
        self.assertEqual(MANIFEST, yaml.safe_load(self.manifest.read_text()))
        self._configure()
        webhook_client.refresh(self.node)
        restarted = self.manifest.read_text()
        self.assertIn(webhook_client.CHANGED_AT, restarted)
        (self.given / "client.crt").write_text("renewed")
        webhook_client.refresh(self.node)
        self.assertEqual(restarted, self.manifest.read_text())
        self.assertEqual("renewed", (self.layout.cluster_files / "webhook-client.crt").read_text())

    def test_a_node_without_a_cluster_is_left_alone(self) -> None:
        self._configure()
        self.kubeconfig.unlink()
        webhook_client.refresh(self.node)
        self.assertFalse(self.kubeconfig.exists())
