# SPDX-License-Identifier: Apache-2.0
"""The TokenReview webhook as a WSGI application.

``POST /v1/clusters/<cluster id>/tokenreview`` with a TokenReview answers 200 with one, whatever the token is worth;
503 while Keystone is unavailable, so that the apiserver neither trusts nor caches anything. ``GET /healthcheck``
answers 200. Tokens are never logged, and remembered only as a digest.
"""

import datetime
import hashlib
import json
import logging
import re
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hypernetes.auth import cache
from hypernetes.auth import identity
from hypernetes.auth import review
from hypernetes.auth import validator as validators
from hypernetes.model import ids
from hypernetes.model import names

LOG = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

MAX_CACHE_SECONDS = 20
"""With the apiserver's own 10 s this keeps a removed role's access well under 60 s."""

_PATH = re.compile(names.TOKEN_REVIEW_PATH.format(cluster_id="(?P<cluster>[0-9a-f-]{36})"))

_INVALID = "the token is not valid, has expired or was revoked"


@dataclass(frozen=True, slots=True)
class Settings:
    """The webhook's configuration."""

    audiences: tuple[str, ...]
    """Audiences an apiserver may ask for; Keystone's tokens have none of their own."""
    cache_seconds: float = 10.0
    refusal_cache_seconds: float = 5.0
    """For invalid tokens, so that a client that repeats one does not reach Keystone."""
    cache_size: int = 10_000


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
        settings: Settings,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._validator = validator
        self._settings = settings
        self._now = now
        # The user, or why there is none.
        self._answers: cache.Cache[identity.User | str] = cache.Cache(settings.cache_size)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            status, document = "200 OK", self._respond(environ)
        except HttpError as error:
            status, document = error.status, {"error": str(error)}
        body = json.dumps(document).encode()
        start_response(
            status,
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [body]

    def _respond(self, environ: dict[str, Any]) -> dict[str, Any]:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path == "/healthcheck" and method in ("GET", "HEAD"):
            return {"status": "ok"}
        matched = _PATH.fullmatch(path)
        if matched is None or not ids.is_uuid(matched["cluster"]):
            raise HttpError("404 Not Found", "the requested path does not exist")
        if method != "POST":
            raise HttpError("405 Method Not Allowed", "only POST is allowed")
        try:
            asked = review.parse(_body(environ))
        except review.Malformed as error:
            raise HttpError("400 Bad Request", str(error)) from error
        return self._authenticate(asked, ids.ClusterId(matched["cluster"]))

    def _authenticate(self, asked: review.TokenReviewRequest, cluster_id: ids.ClusterId) -> dict[str, Any]:
        audiences = tuple(a for a in asked.audiences if a in self._settings.audiences)
        if asked.audiences and not audiences:
            return review.refused("the token is not meant for any of these audiences")
        if not review.is_plausible(asked.token):
            return review.refused(_INVALID)
        answer = self._user(asked.token, cluster_id)
        if isinstance(answer, str):
            return review.refused(answer)
        if answer.expires_at <= self._now():
            return review.refused(_INVALID)
        return review.accepted(answer, audiences)

    def _user(self, token: str, cluster_id: ids.ClusterId) -> identity.User | str:
        key = hashlib.sha256(f"{cluster_id} {token}".encode()).hexdigest()
        answer = self._answers.get(key)
        if answer is None:
            answer = self._ask(token, cluster_id)
            good = isinstance(answer, identity.User)
            seconds = self._settings.cache_seconds if good else self._settings.refusal_cache_seconds
            self._answers.put(key, answer, min(seconds, MAX_CACHE_SECONDS))
        return answer

    def _ask(self, token: str, cluster_id: ids.ClusterId) -> identity.User | str:
        try:
            found = self._validator.validate(token)
            if found is None:
                return _INVALID
            return identity.user_of(found, cluster_id)
        except identity.TokenRefused as refusal:
            LOG.info("Cluster %s: refused a valid token: %s", cluster_id, refusal)
            return str(refusal)
        except validators.KeystoneUnavailable as error:
            LOG.error("Keystone is unavailable: %s", error)
            raise HttpError("503 Service Unavailable", "Keystone is temporarily unavailable; try again") from error
        except (KeyError, TypeError, ValueError) as error:
            # Only the type of the error: its text may contain parts of the response.
            LOG.error("Keystone's response does not conform to its API: %s", type(error).__name__)
            raise HttpError("503 Service Unavailable", "Keystone is temporarily unavailable; try again") from None


def _body(environ: dict[str, Any]) -> bytes:
    """Return the body of a request; it has at most the size of a TokenReview."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or "")
    except ValueError:
        raise HttpError("411 Length Required", "Content-Length is missing") from None
    if length < 0 or length > review.MAX_BODY:
        raise HttpError("413 Content Too Large", f"the body may have {review.MAX_BODY} bytes")
    body: bytes = environ["wsgi.input"].read(length)
    return body
