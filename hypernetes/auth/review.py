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
"""Bytes of a request; a token of the greatest length and its audiences fit several times."""
MAX_TOKEN = 16 * 1024
"""Characters. Fernet tokens have some hundreds; JSON web tokens some thousands."""
MAX_AUDIENCES = 32


class Malformed(ValueError):
    """The request is not a TokenReview; the text says why and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an apiserver asks."""

    token: str = field(repr=False)
    audiences: tuple[str, ...]
    """Whom the token must be meant for; empty stands for the apiserver itself."""


def parse(body: bytes) -> Question:
    """The question in a request's body.

    :raises Malformed: it is something else, or bigger than a question may be.
    """
    if len(body) > MAX_BODY:
        raise Malformed(f"the body has more than {MAX_BODY} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise Malformed(f"the body is not a {API_VERSION} {KIND}")
    spec = document.get("spec")
    if not isinstance(spec, dict):
        raise Malformed("spec is missing")
    token, audiences = spec.get("token"), spec.get("audiences") or []
    if not isinstance(token, str) or not token:
        raise Malformed("spec.token is missing")
    if not isinstance(audiences, list) or len(audiences) > MAX_AUDIENCES:
        raise Malformed("spec.audiences is not a short list")
    if not all(isinstance(audience, str) for audience in audiences):
        raise Malformed("spec.audiences holds something other than text")
    return Question(token, tuple(audiences))


def is_plausible(token: str) -> bool:
    """Whether the text can be a Keystone token at all: it must also be safe to put into a header."""
    return len(token) <= MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token


def accepted(user: identity.User, audiences: Sequence[str]) -> dict[str, Any]:
    """The answer that names a user, valid for ``audiences``."""
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
    return _review(status)


def refused(reason: str) -> dict[str, Any]:
    """The answer that the token is good for nothing here."""
    return _review({"authenticated": False, "error": reason})


def _review(status: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "status": status}
