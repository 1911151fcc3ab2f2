# SPDX-License-Identifier: Apache-2.0
"""Which of our errors an answer of OpenStack becomes."""

import json

import requests
import testtools
from keystoneauth1 import exceptions as auth_exceptions
from openstack import exceptions

from hypernetes.model import errors
from hypernetes.openstack import failures


def answer(status: int, kind: str = "", message: str = "because.") -> exceptions.HttpException:
    """What the SDK raises for an answer of Neutron."""
    response = requests.Response()
    response.status_code = status
    response.headers["content-type"] = "application/json"
    response._content = json.dumps({"NeutronError": {"type": kind, "message": message, "detail": ""}}).encode()
    return exceptions.HttpException("text", response=response, http_status=status)


class TranslatedTest(testtools.TestCase):
    def translate(self, error: Exception) -> errors.HypernetesError:
        try:
            with failures.translated("Neutron"):
                raise error
        except errors.HypernetesError as translated:
            return translated

    def test_answers(self) -> None:
        for raised, expected in (
            (answer(409, "OverQuota", "Quota exceeded for resources: ['port']."), errors.QuotaExceeded),
            (answer(409, "NetworkInUse"), errors.Refused),
            (answer(400, "InvalidInput"), errors.Refused),
            (answer(403, "PolicyNotAuthorized"), failures.NotAMember),
            (answer(403, "AddressInUse"), errors.Refused),
            (answer(401), failures.NotAMember),
            (answer(429), errors.Unavailable),
            (answer(503), errors.Unavailable),
            (answer(500, "SubnetAllocationError"), errors.Refused),
            (answer(500), errors.Unavailable),
            (auth_exceptions.Unauthorized("401"), failures.NotAMember),
            (auth_exceptions.ConnectTimeout("slow"), errors.Unavailable),
            (auth_exceptions.EndpointNotFound("none"), errors.Unavailable),
            (auth_exceptions.NotFound("no project"), errors.Refused),
            (exceptions.SDKException("odd"), errors.Unavailable),
        ):
            self.assertIs(expected, type(self.translate(raised)), str(raised))

    def test_the_reason_is_neutrons_own_and_has_one_full_stop(self) -> None:
        translated = self.translate(answer(409, "OverQuota", "Quota exceeded for resources: ['port']."))
        self.assertIn("['port']. Delete what", str(translated))

    def test_errors_of_ours_pass_unchanged(self) -> None:
        error = errors.NotFound(kind="network", id="x")
        self.assertIs(error, self.translate(error))
