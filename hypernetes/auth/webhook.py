# SPDX-License-Identifier: Apache-2.0
"""The webhook of apiservers as a WSGI application.

``POST /v1/clusters/<cluster id>/tokenreview`` with a TokenReview answers 200 with one, whatever the token is worth;
503 while Keystone is unavailable, so that the apiserver neither trusts nor caches anything, but retries.
``POST /v1/clusters/<cluster id>/write-pace`` with an AdmissionReview answers 200 with one, after the time that a write
of its size takes.
``GET /healthcheck`` answers 200.
"""

import datetime
import json
import re
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from hypernetes.auth import answers
from hypernetes.auth import review
from hypernetes.auth import validator as validators
from hypernetes.auth import write_pace
from hypernetes.model import ids
from hypernetes.model import names

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

RETRY_AFTER = "1"
"""Seconds. Without this header the apiserver does not retry after a 503, but answers its own client 401."""

_CLUSTER = "(?P<cluster>[0-9a-f-]{36})"
_TOKEN_REVIEW = re.compile(names.TOKEN_REVIEW_PATH.format(cluster_id=_CLUSTER))
_WRITE_PACE = re.compile(names.WRITE_PACE_PATH.format(cluster_id=_CLUSTER))


class HttpError(Exception):
    """Ends a request with a status other than 200; the text contains no secret."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class Webhook:
    """The WSGI application. Safe for threads."""

    def __init__(
        self,
        validator: validators.Validator,
        settings: answers.Settings,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        clock: Callable[[], float] = time.monotonic,
        pace: write_pace.WritePace | None = None,
    ) -> None:
        self._audiences = settings.audiences
        self._now = now
        self._pace = pace or write_pace.WritePace(write_pace.Settings())
        self._answers = answers.Answers(validator, settings, clock)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            status, document = "200 OK", self._respond(environ)
        except HttpError as error:
            status, document = error.status, {"error": str(error)}
        body = json.dumps(document).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        if status.startswith("503"):
            headers.append(("Retry-After", RETRY_AFTER))
        start_response(status, headers)
        return [body]

    def _respond(self, environ: dict[str, Any]) -> dict[str, Any]:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path == "/healthcheck" and method in ("GET", "HEAD"):
            return {"status": "ok"}
        matched = _TOKEN_REVIEW.fullmatch(path) or _WRITE_PACE.fullmatch(path)
        if matched is None or not ids.is_uuid(matched["cluster"]):
            raise HttpError("404 Not Found", "the requested path does not exist")
        if method != "POST":
            raise HttpError("405 Method Not Allowed", "only POST is allowed")
        try:
            if matched.re is _WRITE_PACE:
                return self._pace.review(_body(environ, write_pace.MAX_BODY))
            asked = review.parse(_body(environ, review.MAX_BODY))
        except (review.Malformed, write_pace.MalformedReview) as error:
            raise HttpError("400 Bad Request", str(error)) from error
        return self._authenticate(asked, ids.ClusterId(matched["cluster"]))

    def _authenticate(self, asked: review.TokenReviewRequest, cluster_id: ids.ClusterId) -> dict[str, Any]:
        audiences = tuple(a for a in asked.audiences if a in self._audiences)
        if asked.audiences and not audiences:
            return review.refused("the token is not meant for any of these audiences")
        if not review.is_plausible(asked.token):
            return review.refused(answers.INVALID)
        try:
            answer = self._answers.user(asked.token, cluster_id)
        except answers.NoAnswer as error:
            raise HttpError("503 Service Unavailable", str(error)) from error
        if isinstance(answer, str):
            return review.refused(answer)
        if answer.expires_at <= self._now():
            return review.refused(answers.INVALID)
        return review.accepted(answer, audiences)


def _body(environ: dict[str, Any], most: int) -> bytes:
    """Return the body of a request, which may have ``most`` bytes."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or "")
    except ValueError:
        raise HttpError("411 Length Required", "Content-Length is missing") from None
    if length < 0 or length > most:
        raise HttpError("413 Content Too Large", f"the body may have {most} bytes")
    body: bytes = environ["wsgi.input"].read(length)
    return body
