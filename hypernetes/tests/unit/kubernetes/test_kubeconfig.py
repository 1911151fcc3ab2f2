# SPDX-License-Identifier: Apache-2.0
"""Kubeconfigs that cannot be used say why, and nothing of what is in them."""

import base64
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools
import yaml

from hypernetes.kubernetes import client
from hypernetes.kubernetes import kubeconfig


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class KubeconfigTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.useFixture(fixtures.TempDir()).path) / "csi.kubeconfig"
        self.user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
        cluster = {"server": "https://198.51.100.2:6443", "certificate-authority-data": encoded("CA")}
        self.document: dict[str, Any] = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "demo", "user": "volumes"}}],
            "clusters": [{"name": "demo", "cluster": cluster}],
            "users": [{"name": "other", "user": {}}, {"name": "volumes", "user": self.user}],
        }

    def load(self) -> Any:
        self.path.write_text(yaml.safe_dump(self.document))
        with mock.patch.object(client, "ClusterClient") as made:
            kubeconfig.load(self.path, timeout=7)
        return made

    def reason(self) -> str:
        return self.assertRaises(kubeconfig.KubeconfigUnusable, self.load).message

    def test_the_current_context_s_certificate_is_used(self) -> None:
        self.load().assert_called_once_with("https://198.51.100.2:6443", "CA", "CERT", "KEY", timeout=7)

    def test_a_missing_file_is_named(self) -> None:
        error = self.assertRaises(kubeconfig.KubeconfigUnusable, kubeconfig.load, self.path, timeout=7)
        self.assertIn(f"{self.path} cannot be used: No such file", error.message)
        self.assertIn("kubeadm kubeconfig user", error.advice)

    def test_what_is_missing_is_named(self) -> None:
        del self.user["client-key-data"]
        self.assertIn("it has no client-key-data", self.reason())
        self.document["current-context"] = "that"
        self.assertIn("it has no that in contexts", self.reason())

    def test_what_is_malformed_is_not_quoted(self) -> None:
        self.user["client-key-data"] = "s3cret!"
        self.assertNotIn("s3cret", self.reason())
