# SPDX-License-Identifier: Apache-2.0
"""The tokens that kubectl has cached with the stack's kubeconfigs are found again."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import yaml

from hypernetes.login import cache
from hypernetes.standalone import client
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class TokensTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))
        self.installation.layout.clients.mkdir(parents=True)
        self.home = place / "home"
        patched = mock.patch.dict(os.environ, {"HOME": str(self.home)}, clear=True)
        patched.start()
        self.addCleanup(patched.stop)

    def login(self, credential: str) -> Path:
        """Write red's kubeconfig with a credential, and the token that kubectl would cache; where it lies."""
        variables = {
            "OS_AUTH_URL": "https://keystone.example/v3",
            "OS_APPLICATION_CREDENTIAL_ID": credential,
            "OS_APPLICATION_CREDENTIAL_SECRET": "secret",
        }
        variables_list = [{"name": name, "value": value} for name, value in variables.items()]
        document = {"users": [{"name": "red", "user": {"exec": {"env": variables_list}}}]}
        client.kubeconfig(self.installation, "red").write_text(yaml.safe_dump(document))
        token = cache.path_for({**os.environ, **variables})
        token.parent.mkdir(parents=True, exist_ok=True)
        token.touch()
        return token

    def test_all_are_forgotten_and_the_directory_with_them(self) -> None:
        token = self.login("c1")
        client.forget_tokens(self.installation)
        self.assertFalse(token.parent.exists())

    def test_a_replaced_kubeconfigs_token_is_forgotten_before(self) -> None:
        token = self.login("c1")
        with (
            mock.patch.object(client, "kubectl_succeeds", return_value=False),
            mock.patch.object(client, "openstack") as written,
        ):
            client.ensure_kubeconfig(self.installation, "red", "demo")
        written.assert_called_once()
        self.assertFalse(token.exists())
