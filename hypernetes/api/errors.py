# SPDX-License-Identifier: Apache-2.0
"""The one place where an error becomes an answer, in the form of the API-SIG's errors guideline.

Whatever comes up from below, be it an exception of ours, of WebOb, or the plain answer of another project's
middleware, leaves as ``{"errors": [{request_id, code, status, title, detail, links}]}``.
"""

import http
from typing import Any
from urllib import parse

import webob
import webob.dec
import webob.exc
from oslo_log import log as logging

from hypernetes.api import microversion
from hypernetes.model import errors

LOG = logging.getLogger(__name__)

_HELP = "https://docs.openstack.org/hypernetes/latest/user/errors.html"

_RETRY_AFTER = "10"
"""Seconds after which what was not available is worth another try."""

_MOST_TO_READ = 1024 * 1024
"""Bytes of a refused request's body; whoever sends more may lose the answer."""
_CHUNK = 16 * 1024

# What is not ours to raise still needs a code; the rest of the 4xx get hypernetes.request.<status>.
_CODES = {
    400: "hypernetes.request.invalid",
    401: "hypernetes.token.invalid",
    404: "hypernetes.path.not_found",
    405: "hypernetes.method.not_allowed",
    406: "hypernetes.accept.not_supported",
    413: "hypernetes.request.too_large",
    415: "hypernetes.content_type.not_supported",
    503: errors.Unavailable.code,
}
_DETAILS = {
    400: "The request cannot be read: its path, query or headers are not well formed. Correct it and send it again.",
    401: "The token is missing, wrong or expired, or its access rules do not allow this request. "
    "Ask Keystone for a new one.",
    404: "There is nothing at this path. GET / lists what the service offers.",
    405: "The method is not allowed here. The header Allow lists those that are.",
    406: "Only application/json is offered. Accept it.",
    413: "The request's body is too large. Send less.",
    415: "A body must be application/json. Set the header Content-Type.",
    # Of the middlewares around us only keystonemiddleware says so.
    503: errors.Unavailable(service="Keystone", reason="the token could not be verified").detail,
}
# Headers of another's error that mean something to the client.
_KEPT = ("WWW-Authenticate", "Allow", "Retry-After")


def attach(application: Any) -> Any:
    """Middleware: turns every error into the API-SIG's form."""

    @webob.dec.wsgify  # type: ignore[untyped-decorator]
    def middleware(request: webob.Request) -> webob.Response:
        try:
            # Before Pecan, which logs a traceback at level ERROR when it cannot decode a query.
            parse.unquote(request.query_string, errors="strict")
            answer = request.get_response(application)
        except errors.HypernetesError as error:
            answer = _of_ours(request, error)
        except webob.exc.HTTPException as error:
            answer = _of_webob(request, error)
        except UnicodeDecodeError:
            answer = _of_ours(request, errors.BadRequest(reason="its path or query is not UTF-8"))
        except Exception:
            LOG.exception("%s %s failed", request.method, request.environ.get("PATH_INFO"))
            answer = _of_ours(request, errors.HypernetesError())
        else:
            if answer.status_int >= http.HTTPStatus.BAD_REQUEST:
                answer = _of_webob(request, answer)
        if answer.status_int >= http.HTTPStatus.BAD_REQUEST:
            _read_to_the_end(request)
        microversion.label(request, answer)
        return answer

    return middleware


def _read_to_the_end(request: webob.Request) -> None:
    """Take in the body of a refused request, since a server that closes a connection with unread bytes in it resets it.

    The client, still sending, would lose our answer. Bounded, so that nobody can keep us reading.
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


def _of_ours(request: webob.Request, error: errors.HypernetesError) -> webob.Response:
    answer = _answer(request, error.status, error.code, error.detail)
    if isinstance(error, errors.TooManyRequests):
        answer.headers["Retry-After"] = str(error.facts["seconds"])
    elif error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = _RETRY_AFTER
    if isinstance(error, microversion.VersionNotSupported):
        entry = {"min_version": str(microversion.MINIMUM), "max_version": str(microversion.MAXIMUM)}
        answer.json_body = {"errors": [answer.json_body["errors"][0] | entry]}
    return answer


def _of_webob(request: webob.Request, error: webob.Response) -> webob.Response:
    status = error.status_int
    detail = _DETAILS.get(status) or errors.HypernetesError().detail
    answer = _answer(request, status, _CODES.get(status, f"hypernetes.request.{status}"), detail)
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = _RETRY_AFTER
    for name in _KEPT:
        if name in error.headers:
            answer.headers[name] = error.headers[name]
    return answer


def _answer(request: webob.Request, status: int, code: str, detail: str) -> webob.Response:
    answer = webob.Response(status=status, content_type="application/json", charset="UTF-8")
    answer.cache_control = "no-store"
    answer.json_body = {
        "errors": [
            {
                "request_id": request.environ.get("openstack.request_id", ""),
                "code": code,
                "status": status,
                "title": http.HTTPStatus(status).phrase,
                "detail": detail,
                "links": [{"rel": "help", "href": _HELP}],
            }
        ]
    }
    return answer
