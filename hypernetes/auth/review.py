# SPDX-License-Identifier: Apache-2.0
"""Reads and writes ``authentication.k8s.io/v1`` TokenReviews, without I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from hypernetes.auth import identity

API_VERSION = "authentication.k8s.io/v1"
KIND = "TokenReview"

MAX_BODY = 64 * 1024
"""Bytes of a request; several times a token of the maximum length with its audiences."""
MAX_TOKEN = 16 * 1024
"""Characters. Fernet tokens have hundreds, JSON web tokens thousands."""
MAX_AUDIENCES = 32


class Malformed(ValueError):
    """The request is not a TokenReview; the text says why and contains nothing of the token."""


@dataclass(frozen=True, slots=True)
class TokenReviewRequest:
    """The spec of a TokenReview."""

    token: str = field(repr=False)
    audiences: tuple[str, ...]
    """Audiences of which one must accept the token; empty stands for the apiserver itself."""


def parse(body: bytes) -> TokenReviewRequest:
    """Return the TokenReview in a request's body.

    :raises Malformed: when it is not a TokenReview, or too large.
    """
    spec = _spec(body)
    token, audiences = spec.get("token"), spec.get("audiences") or []
    if not isinstance(token, str) or not token:
        raise Malformed("spec.token is missing")
    if not isinstance(audiences, list) or len(audiences) > MAX_AUDIENCES:
        raise Malformed(f"spec.audiences is not a list of at most {MAX_AUDIENCES} items")
    if not all(isinstance(audience, str) for audience in audiences):
        raise Malformed("spec.audiences contains an item that is not a string")
    return TokenReviewRequest(token, tuple(audiences))


def _spec(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise Malformed(f"the body has more than {MAX_BODY} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not valid JSON") from None
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise Malformed(f"the body is not a {API_VERSION} {KIND}")
    spec = document.get("spec")
    if not isinstance(spec, dict):
        raise Malformed("spec is missing")
    return spec


def is_plausible(token: str) -> bool:
    """Return whether the text can be a Keystone token; it must be safe to put into a header."""
    return len(token) <= MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token


def accepted(user: identity.User, audiences: Sequence[str]) -> dict[str, Any]:
    """Return the TokenReview of a valid token: its user, for ``audiences``."""
    status: dict[str, Any] = {
        "authenticated": True,
        "user": {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        },
    }
    if audiences:
        status["audiences"] = list(audiences)
    return _response(status)


def refused(reason: str) -> dict[str, Any]:
    """Return the TokenReview of a token that is not valid here."""
    return _response({"authenticated": False, "error": reason})


def _response(status: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "status": status}
