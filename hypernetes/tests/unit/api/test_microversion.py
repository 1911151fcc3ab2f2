# SPDX-License-Identifier: Apache-2.0
"""The version header."""

import testtools

from hypernetes.api import microversion
from hypernetes.tests.support import application


class MicroversionTest(testtools.TestCase):
    """What is chosen and what is said."""

    def test_no_header_means_the_oldest(self) -> None:
        self.assertEqual(microversion.MINIMUM, microversion.choose({}))

    def test_latest_means_the_newest(self) -> None:
        self.assertEqual(microversion.MAXIMUM, microversion.choose({"OpenStack-API-Version": "kubernetes latest"}))

    def test_the_header_of_another_service_means_nothing(self) -> None:
        self.assertEqual(microversion.MINIMUM, microversion.choose({"OpenStack-API-Version": "compute 2.99"}))

    def test_every_answer_says_its_version(self) -> None:
        api = self.useFixture(application.Application())
        for path, persona in (("/", None), ("/v1/clusters", "red_reader"), ("/v1/clusters", None)):
            answer = api.request("GET", path, persona, OpenStack_API_Version="kubernetes latest")
            self.assertEqual(f"kubernetes {microversion.MAXIMUM}", answer.headers["OpenStack-API-Version"])
            self.assertEqual("OpenStack-API-Version", answer.headers["Vary"])
