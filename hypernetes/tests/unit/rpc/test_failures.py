# SPDX-License-Identifier: Apache-2.0
"""Errors across the wire."""

import testtools

from hypernetes.model import errors
from hypernetes.rpc import failures


class FailuresTest(testtools.TestCase):
    def test_an_error_arrives_as_itself(self) -> None:
        for error in (
            errors.QuotaExceeded(reason="ports"),
            errors.Unavailable(service="Neutron", reason="timeout"),
            errors.NotFound(kind="node", id="x"),
        ):
            arrived = failures.decode(failures.encode(error), "method")
            self.assertIs(type(error), type(arrived))
            self.assertEqual(str(error), str(arrived))

    def test_what_is_not_known_is_a_remote_failure(self) -> None:
        for data in (None, {}, {"code": "x.y"}, {"code": "hypernetes.quota.exceeded", "facts": {}}, {"code": 1}):
            self.assertIsInstance(failures.decode(data, "method"), failures.RemoteFailure)
