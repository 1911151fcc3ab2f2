# SPDX-License-Identifier: Apache-2.0
"""The webhook as uWSGI starts it."""

import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools

from hypernetes.auth import deploy
from hypernetes.tests.support import tokens

CONFIGURATION = """
[webhook]
auth_type = v3password
auth_url = http://127.0.0.1:1
username = validator
password = planted-password
project_name = service
user_domain_id = default
project_domain_id = default
cache_seconds = 7
"""


class EntryTest(testtools.TestCase):
    """From configuration to application."""

    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.useFixture(fixtures.TempDir()).path) / "webhook.conf"
        self.file.write_text(CONFIGURATION)
        # Logging is the process's; a unit test leaves it alone.
        patched = mock.patch("oslo_log.log.setup")
        patched.start()
        self.addCleanup(patched.stop)

    def test_the_application_is_made_without_asking_keystone(self) -> None:
        application = deploy.load_application([str(self.file)])
        self.assertEqual(7.0, application._answers._settings.cache_seconds)

    def test_a_keystone_that_is_away_is_a_503(self) -> None:
        application = deploy.load_application([str(self.file)])
        question = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "t"}}
        body = json.dumps(question).encode()
        statuses: list[str] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/v1/clusters/{tokens.CLUSTER}/tokenreview",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        answer = b"".join(application(environ, lambda status, headers: statuses.append(status)))
        self.assertEqual(["503 Service Unavailable"], statuses)
        self.assertNotIn(b"planted-password", answer)
