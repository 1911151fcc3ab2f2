# SPDX-License-Identifier: Apache-2.0
"""The one place where an error becomes a response, in the form of the API-SIG's errors guideline.

Errors of Hypernetes, exceptions of WebOb and the plain responses of other projects' middleware all leave as
``{"errors": [{request_id, code, status, title, detail, links}]}``. Every code has a section in
``doc/source/user/errors.rst``, to which its link leads.
"""

import http
import re
from typing import Any
from urllib import parse
from wsgiref.types import WSGIApplication

import webob
import webob.exc
from oslo_log import log as logging

from hypernetes.api import microversion
from hypernetes.api import middleware
from hypernetes.model import errors

LOG = logging.getLogger(__name__)

_RETRY_AFTER = "10"
"""Seconds after which a request that could not be served is worth a retry."""

_MOST_TO_READ = 1024 * 1024
"""Bytes of a refused request's body; a client that sends more may lose the response."""
_CHUNK = 16 * 1024

CODES = {
    400: "hypernetes.request.invalid",
    401: "hypernetes.token.invalid",
    404: "hypernetes.path.not_found",
    405: "hypernetes.method.not_allowed",
    406: "hypernetes.accept.not_supported",
    413: "hypernetes.request.too_large",
    415: "hypernetes.content_type.not_supported",
    500: errors.HypernetesError.code,
    503: errors.Unavailable.code,
}
"""Codes of the errors that WebOb and other projects' middleware raise, by status."""
OTHER_CODE = "hypernetes.request.refused"

_DETAILS = {
    400: "The path, query or headers of the request are not well formed. Correct the request and send it again.",
    401: "The token is missing, wrong or expired, or its access rules do not allow this request. "
    "Ask Keystone for a new token.",
    404: "There is nothing at this path. GET / lists the API's versions.",
    405: "The method is not allowed for this path. The header Allow lists the methods that are.",
    406: "Only application/json is offered. Accept it.",
    413: "The request's body is too large. Send less.",
    415: "The body must be application/json. Set the header Content-Type.",
    # Of all middleware only keystonemiddleware answers so.
    503: errors.Unavailable(service="Keystone", reason="the token could not be validated").detail,
}
# Headers of an error response that mean something to the client.
_KEPT = ("WWW-Authenticate", "Allow", "Retry-After")


def attach(application: WSGIApplication, *, help_url: str) -> WSGIApplication:
    """Wrap an application so that every error has the API-SIG's form.

    :param help_url: page with a section for each code; empty to send no links.
    """
    translator = _Translator(help_url)

    def respond(request: webob.Request) -> webob.Response:
        try:
            # Before Pecan, which logs a traceback at level ERROR when it cannot decode a query.
            parse.unquote(request.query_string, errors="strict")
            response = request.get_response(application)
        except errors.HypernetesError as error:
            response = translator.from_error(request, error)
        except webob.exc.HTTPException as error:
            response = translator.from_response(request, error)
        except UnicodeDecodeError:
            response = translator.from_error(request, errors.BadRequest(reason="its path or query is not UTF-8"))
        except Exception:
            LOG.exception("%s %s failed", request.method, request.environ.get("PATH_INFO"))
            response = translator.from_error(request, errors.HypernetesError())
        else:
            if response.status_int >= http.HTTPStatus.BAD_REQUEST:
                response = translator.from_response(request, response)
        if response.status_int >= http.HTTPStatus.BAD_REQUEST:
            _read_to_the_end(request)
        microversion.label(request, response)
        return response

    return middleware.wsgi_application(respond)


def anchor(code: str) -> str:
    """Return the HTML ID that docutils gives to a section with this title."""
    return re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-")


class _Translator:
    """Builds error responses."""

    def __init__(self, help_url: str) -> None:
        self._help_url = help_url

    def from_error(self, request: webob.Request, error: errors.HypernetesError) -> webob.Response:
        """Return the response for an error of Hypernetes."""
        response = self._response(request, error.status, error.code, error.detail)
        if isinstance(error, errors.TooManyRequests):
            response.headers["Retry-After"] = str(error.facts["seconds"])
        elif error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = _RETRY_AFTER
        if isinstance(error, microversion.VersionNotSupported):
            versions = {"min_version": str(microversion.MINIMUM), "max_version": str(microversion.MAXIMUM)}
            response.json_body = {"errors": [response.json_body["errors"][0] | versions]}
        return response

    def from_response(self, request: webob.Request, error: webob.Response) -> webob.Response:
        """Return the response for an error of WebOb or of another project's middleware."""
        status = error.status_int
        detail = _DETAILS.get(status) or errors.HypernetesError().detail
        response = self._response(request, status, CODES.get(status, OTHER_CODE), detail)
        if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = _RETRY_AFTER
        for name in _KEPT:
            if name in error.headers:
                response.headers[name] = error.headers[name]
        return response

    def _response(self, request: webob.Request, status: int, code: str, detail: str) -> webob.Response:
        response = webob.Response(status=status, content_type="application/json", charset="UTF-8")
        response.cache_control = "no-store"
        error: dict[str, Any] = {
            "request_id": request.environ.get("openstack.request_id", ""),
            "code": code,
            "status": status,
            "title": http.HTTPStatus(status).phrase,
            "detail": detail,
            "links": [],
        }
        if self._help_url:
            error["links"] = [{"rel": "help", "href": f"{self._help_url}#{anchor(code)}"}]
        response.json_body = {"errors": [error]}
        return response


def _read_to_the_end(request: webob.Request) -> None:
    """Read the body of a refused request, up to a limit.

    A server that closes a connection with unread bytes in it resets it, so that a client that still sends would lose
    the response.
    """
    left = min(request.content_length or 0, _MOST_TO_READ)
    source = request.environ["wsgi.input"]
    while left > 0:
        try:
            chunk = source.read(min(left, _CHUNK))
        except OSError:
            # The client has gone away.
            return
        if not chunk:
            return
        left -= len(chunk)
