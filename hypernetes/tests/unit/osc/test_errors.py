# SPDX-License-Identifier: Apache-2.0
"""Errors are reported in the API's own words."""

from unittest import mock

import testtools
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import errors


class ErrorsTest(testtools.TestCase):
    """The API's own words."""

    def _reported(self, error: Exception) -> str:
        def fail() -> None:
            with errors.reported():
                raise error

        return str(self.assertRaises(exceptions.CommandError, fail))

    def test_cause_and_remedy_are_passed_on(self) -> None:
        body = {"errors": [{"title": "Conflict", "detail": "The name web is taken. Choose another."}]}
        response = mock.Mock(status_code=409, headers={}, json=lambda: body)
        said = self._reported(sdk.ConflictException(message="409", response=response))
        self.assertEqual("The name web is taken. Choose another.", said)

    def test_another_answer_is_shown_as_the_sdk_does(self) -> None:
        response = mock.Mock(status_code=502, headers={}, json=list)
        self.assertIn("Bad gateway", self._reported(sdk.HttpException(message="Bad gateway", response=response)))
