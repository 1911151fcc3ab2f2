# SPDX-License-Identifier: Apache-2.0
"""What the client and the server spell separately, since the client imports no server code."""

import testtools

from hypernetes.auth import access_rules
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.sdk import access
from hypernetes.sdk import cluster
from hypernetes.sdk import service
from hypernetes.tests.support import tokens


class AgreementTest(testtools.TestCase):
    """A difference would lock every user out."""

    def test_client_and_server_name_the_same_path_and_service(self) -> None:
        self.assertEqual(names.TOKEN_REVIEW_PATH, cluster.TOKEN_REVIEW_PATH)
        self.assertEqual(names.SERVICE_TYPE, service.SERVICE_TYPE)

    def test_the_rules_of_the_client_s_credential_open_its_cluster_and_no_other(self) -> None:
        made = {"access_rules": access.rules(tokens.CLUSTER)}
        self.assertTrue(access_rules.allow_login(made, ids.ClusterId(tokens.CLUSTER)))
        self.assertFalse(access_rules.allow_login(made, ids.ClusterId(tokens.OTHER_CLUSTER)))
