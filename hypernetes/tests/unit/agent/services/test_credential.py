# SPDX-License-Identifier: Apache-2.0
"""The agent speaks to the apiserver as the node's kubelet."""

from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.bootstrap import join
from hypernetes.agent.services import credential
from hypernetes.model import errors
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.support import agent_builders


class CredentialTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        node, _, _ = agent_builders.node(Path(self.useFixture(fixtures.TempDir()).path))
        self.layout = node.layout
        self.authority = control_plane.CertificateAuthority("test")
        self.layout.kubelet_client.parent.mkdir(parents=True)
        self.layout.kubelet_configuration.parent.mkdir(parents=True, exist_ok=True)

    def test_it_takes_the_certificate_that_the_kubelet_has_now(self) -> None:
        certificate, key = self.authority.issue("system:node:node1")
        self.layout.kubelet_client.write_text(certificate.rstrip("\n") + "\n" + key)
        text = join.kubeconfig("https://192.0.2.1:6443", self.authority.pem, self.layout.kubelet_client)
        self.layout.kubelet_configuration.write_text(text)
        credential.connect(self.layout).close()

    def test_without_a_cluster_it_is_unavailable(self) -> None:
        for text in (None, "", "{}", "clusters: [{cluster: {server: x, certificate-authority-data: '!'}}]"):
            if text is not None:
                self.layout.kubelet_configuration.write_text(text)
            self.assertRaises(errors.Unavailable, credential.connect, self.layout)
