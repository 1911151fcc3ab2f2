# SPDX-License-Identifier: Apache-2.0
"""Finds the user of a token: from memory, or from Keystone in one of two lanes.

A token that was valid within the last hour is known. Known tokens are validated again by workers that no unknown token
can take, and while Keystone is slow or away their users are answered from memory, for :data:`MAX_STALE_SECONDS` at
most. Unknown tokens are bounded in number, since anyone can forge them, and wait in the order in which they came.
Tokens are never logged, and remembered only as a digest.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hypernetes.auth import cache
from hypernetes.auth import identity
from hypernetes.auth import lanes
from hypernetes.auth import validator as validators
from hypernetes.model import ids

LOG = logging.getLogger(__name__)

MAX_CACHE_SECONDS = 20
"""With the apiserver's own 10 s this keeps a removed role's access well under 60 s."""
MAX_STALE_SECONDS = 45
"""How old an answer may be while Keystone is slow or away; with the apiserver's own 10 s it stays under 60 s."""
SLOW_SECONDS = 1.0
"""A validation that takes longer is answered from memory if that is possible."""
LONGEST_WAIT = 8.0
"""Seconds for a validation that cannot be answered from memory; an apiserver waits 10 s, its retries included."""
KNOWN_SECONDS = 3600
"""For how long a valid token counts as known; Keystone's tokens live an hour by default."""

INVALID = "the token is not valid, has expired or was revoked"
_AWAY = "Keystone is temporarily unavailable; try again"

Answer = identity.User | str
"""The user, or why there is none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The webhook's configuration."""

    audiences: tuple[str, ...]
    """Audiences an apiserver may ask for; Keystone's tokens have none of their own."""
    cache_seconds: float = 10.0
    refusal_cache_seconds: float = 5.0
    """For invalid tokens, so that a client that repeats one does not reach Keystone."""
    cache_size: int = 10_000
    refusal_cache_size: int = 1_000
    unknown_validations: int = 8
    unknown_waiting: int = 64
    """Unknown tokens that wait for their turn; without it, who was just refused would always be the first again."""
    known_validations: int = 8


class NoAnswer(Exception):
    """Nothing is known about the token now; the text says why and contains no secret."""


@dataclass(frozen=True, slots=True)
class _Validation:
    """The user of a valid token, and the time, by the monotonic clock, before Keystone was asked."""

    user: identity.User
    at: float


class Answers:
    """Answers of Keystone. Safe for threads."""

    def __init__(
        self,
        validator: validators.Validator,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._validator = validator
        self._settings = settings
        self._clock = clock
        self._valid: cache.Cache[_Validation] = cache.Cache(settings.cache_size, clock)
        # Apart, so that any number of invalid tokens displaces no valid one.
        self._refusals: cache.Cache[str] = cache.Cache(settings.refusal_cache_size, clock)
        self._known: lanes.Lane[Answer] = lanes.Lane("known", settings.known_validations, waiting=settings.cache_size)
        self._unknown: lanes.Lane[Answer] = lanes.Lane(
            "unknown", settings.unknown_validations, waiting=settings.unknown_waiting
        )
        self._overload = _Overload(clock)

    def user(self, token: str, cluster_id: ids.ClusterId) -> Answer:
        """Return the user of a token at a cluster, or why there is none.

        :raises NoAnswer: when neither Keystone nor the memory answers.
        """
        key = hashlib.sha256(f"{cluster_id} {token}".encode()).hexdigest()
        refusal = self._refusals.get(key)
        if refusal is not None:
            return refusal

        def ask() -> Answer:
            return self._validate(key, token, cluster_id)

        known = self._valid.get(key)
        if known is None:
            return self._first(key, ask)
        if self._age(known) < min(self._settings.cache_seconds, MAX_CACHE_SECONDS):
            return known.user
        return self._renewed(key, known, ask)

    def _first(self, key: str, ask: Callable[[], Answer]) -> Answer:
        try:
            return self._unknown.run(key, ask).result(LONGEST_WAIT)
        except lanes.LaneFull:
            self._overload.note()
            raise NoAnswer("too many tokens are being validated; try again") from None
        except TimeoutError:
            raise NoAnswer(_AWAY) from None

    def _renewed(self, key: str, known: _Validation, ask: Callable[[], Answer]) -> Answer:
        patience = SLOW_SECONDS if self._age(known) < MAX_STALE_SECONDS - SLOW_SECONDS else LONGEST_WAIT
        try:
            return self._known.run(key, ask).result(patience)
        except (NoAnswer, lanes.LaneFull, TimeoutError):
            if self._age(known) < MAX_STALE_SECONDS:
                return known.user
            raise NoAnswer(_AWAY) from None

    def _age(self, known: _Validation) -> float:
        return self._clock() - known.at

    def _validate(self, key: str, token: str, cluster_id: ids.ClusterId) -> Answer:
        """Ask Keystone, and remember the answer."""
        at = self._clock()
        answer = self._ask(token, cluster_id)
        if isinstance(answer, identity.User):
            self._valid.put(key, _Validation(answer, at), KNOWN_SECONDS)
        else:
            self._valid.drop(key)
            self._refusals.put(key, answer, min(self._settings.refusal_cache_seconds, MAX_CACHE_SECONDS))
        return answer

    def _ask(self, token: str, cluster_id: ids.ClusterId) -> Answer:
        try:
            found = self._validator.validate(token)
            if found is None:
                return INVALID
            return identity.user_of(found, cluster_id)
        except identity.TokenRefused as refusal:
            LOG.info("Cluster %s: refused a valid token: %s", cluster_id, refusal)
            return str(refusal)
        except validators.KeystoneUnavailable as error:
            LOG.error("Keystone is unavailable: %s", error)
            raise NoAnswer(_AWAY) from error
        except (KeyError, TypeError, ValueError) as error:
            # Only the type of the error: its text may contain parts of the response.
            LOG.error("Keystone's response does not conform to its API: %s", type(error).__name__)
            raise NoAnswer(_AWAY) from None


class _Overload:
    """Counts the requests refused because of too many unknown tokens, and logs their number now and then."""

    _INTERVAL = 10.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._next = clock()

    def note(self) -> None:
        """Count one request."""
        with self._lock:
            self._count += 1
            if self._clock() < self._next:
                return
            count, self._count, self._next = self._count, 0, self._clock() + self._INTERVAL
        LOG.warning("%d reviews of unknown tokens were answered 503: too many waited", count)
