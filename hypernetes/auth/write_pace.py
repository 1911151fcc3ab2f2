# SPDX-License-Identifier: Apache-2.0
"""Makes a large write of a tenant take time in proportion to its size: an admission webhook that allows everything.

The apiserver asks while the write holds a seat of its project's lane (``hypernetes.kubernetes.objects.flowcontrol``),
so the answer's delay bounds the bytes that a project writes per second. Further requests of the project wait in the
apiserver's queue, where they cost next to nothing: their bodies have not been read. A refusal would cost almost as
much as the write, and a client that sends as fast as it can would only send more.

The webhook keeps no state, so any number of processes and hosts may serve it.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

MAX_BODY = 32 << 20
"""Bytes. etcd takes objects of 1.5 MiB; as JSON a byte may take six, and an update has the old object, too."""
FREE_BYTES = 64 << 10
"""Bytes of a review that take no time, so that ordinary writes do not wait."""
LONGEST_SECONDS = 8.0
"""Below the apiserver's timeout for the webhook, after which it would go on without the answer."""
RETRY_SECONDS = 1


class MalformedReview(ValueError):
    """The request is not an AdmissionReview; the text says why and contains nothing of the object."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of ``[webhook]`` about writes."""

    rate: int = 2 << 20
    """Bytes of reviews per second and seat."""
    waiting: int = 16
    """The number of writes, per process, that may wait at the same time."""


class WritePace:
    """Answers AdmissionReviews. Safe for threads."""

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._rate = settings.rate
        self._sleep = sleep
        self._places = threading.BoundedSemaphore(settings.waiting)

    def review(self, body: bytes) -> dict[str, Any]:
        """Return the answer to the review in a request's body, after the time that its size takes.

        It is a refusal, which names the remedy, only when too many others wait.

        :raises MalformedReview: when it is not an AdmissionReview.
        """
        uid, seconds = _uid(body), self.seconds(len(body))
        # It may have megabytes, and the caller keeps no reference.
        del body
        if seconds <= 0:
            return _response(uid)
        if not self._places.acquire(blocking=False):
            return _response(uid, _BUSY)
        try:
            self._sleep(seconds)
        finally:
            self._places.release()
        return _response(uid)

    def seconds(self, size: int) -> float:
        """Return the time that a review of ``size`` bytes takes."""
        return min(max(0, size - FREE_BYTES) / self._rate, LONGEST_SECONDS)


_BUSY = {
    "code": 429,
    "reason": "TooManyRequests",
    "message": "hypernetes/write-pace: too many large objects are being written. Try again in a second.",
    "details": {"retryAfterSeconds": RETRY_SECONDS},
}


def _uid(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedReview("the body is not valid JSON") from None
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise MalformedReview(f"the body is not a {API_VERSION} {KIND}")
    request = document.get("request")
    uid = request.get("uid") if isinstance(request, dict) else None
    if not isinstance(uid, str) or not uid:
        raise MalformedReview("request.uid is missing")
    return uid


def _response(uid: str, refusal: dict[str, Any] | None = None) -> dict[str, Any]:
    response: dict[str, Any] = {"uid": uid, "allowed": refusal is None}
    if refusal is not None:
        response["status"] = refusal
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}
