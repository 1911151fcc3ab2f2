# SPDX-License-Identifier: Apache-2.0
"""The object that has tenants' writes paced."""

import base64
from typing import Any

import testtools

from hypernetes.kubernetes.objects import install
from hypernetes.kubernetes.objects import write_pace

ENDPOINT = write_pace.Endpoint("https://192.0.2.1:9519/v1/clusters/c/write-pace", "PEM")


class WritePaceTest(testtools.TestCase):
    def test_the_apiserver_goes_on_without_an_answer(self) -> None:
        made: Any = write_pace.webhook_configuration(ENDPOINT)
        (webhook,) = made.webhooks
        self.assertEqual(("Ignore", "None"), (webhook.failurePolicy, webhook.sideEffects))
        self.assertEqual(ENDPOINT.url, webhook.clientConfig.url)
        self.assertEqual(b"PEM", base64.b64decode(webhook.clientConfig.caBundle))

    def test_it_is_installed_where_there_is_a_webhook(self) -> None:
        def kinds(pace: write_pace.Endpoint | None) -> list[str]:
            objects = install.cluster_objects("96Mi", "50m", "10.96.0.0/12", pace=pace)
            return [type(item).__name__ for item in objects]

        self.assertNotIn("ValidatingWebhookConfiguration", kinds(None))
        self.assertIn("ValidatingWebhookConfiguration", kinds(ENDPOINT))
