# SPDX-License-Identifier: Apache-2.0
"""Microversions: ``OpenStack-API-Version: kubernetes 1.N`` selects the form of a request and of its response.

=======  ==================================================
1.0      The first one: clusters, nodes, namespaces.
=======  ==================================================
"""

from typing import Any
from typing import ClassVar
from typing import NamedTuple
from wsgiref.types import WSGIApplication

import microversion_parse
import webob

from hypernetes.api import middleware
from hypernetes.model import errors
from hypernetes.model import names

HEADER = "OpenStack-API-Version"
_KEY = "hypernetes.microversion"


class Version(NamedTuple):
    """A microversion."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MINIMUM = Version(1, 0)
MAXIMUM = Version(1, 0)


class VersionMalformed(errors.HypernetesError):
    """The header is not well formed."""

    status: ClassVar[int] = 400
    code = "hypernetes.version.malformed"
    template = "The header OpenStack-API-Version does not name a version: {value}."
    remedy = "Send for instance: kubernetes 1.0."


class VersionNotSupported(errors.HypernetesError):
    """The version is outside of the range of this release."""

    status = 406
    code = "hypernetes.version.not_supported"
    template = "Version {version} is not supported."
    remedy = "Use one from {minimum} to {maximum}."


def choose(headers: Any) -> Version:
    """Return the version that a request asks for; the minimum if it asks for none.

    :raises VersionMalformed: when the header is not well formed.
    :raises VersionNotSupported: when the version is outside of the range of this release.
    """
    text = microversion_parse.get_version(headers, service_type=names.SERVICE_TYPE)
    if text is None:
        return MINIMUM
    if text == "latest":
        return MAXIMUM
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal() and len(text) < 16):
        raise VersionMalformed(value=text[:32])
    version = Version(int(major), int(minor))
    if not MINIMUM <= version <= MAXIMUM:
        raise VersionNotSupported(version=version, minimum=MINIMUM, maximum=MAXIMUM)
    return version


def attach(application: WSGIApplication) -> WSGIApplication:
    """Wrap an application so that each request has its version in the environment."""

    def respond(request: webob.Request) -> webob.Response:
        request.environ[_KEY] = choose(request.headers)
        return request.get_response(application)

    return middleware.wsgi_application(respond)


def label(request: webob.Request, response: webob.Response) -> None:
    """Add the version to a response, and that the response depends on the header."""
    if _KEY in request.environ:
        response.headers[HEADER] = f"{names.SERVICE_TYPE} {request.environ[_KEY]}"
    response.vary = (*(response.vary or ()), HEADER)
