# SPDX-License-Identifier: Apache-2.0
"""Keeps the table of one namespace up to date by two watches, each of which begins again with a listing."""

import threading
import time
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Mapping
from typing import Any
from typing import Protocol

from oslo_log import log

from hypernetes.agent import backoff
from hypernetes.model import errors

LOG = log.getLogger(__name__)

SERVICES = "services"
SLICES = "endpointslices"
PATHS = {
    SERVICES: "/api/v1/namespaces/{}/services",
    SLICES: "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
}

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_QUIET_REFUSALS = 10.0
"""Seconds for which a refusal is expected: the conductor admits the node after its first pod's port."""

Object = Mapping[str, Any]


class Apiserver(Protocol):
    """What a follower asks of the cluster."""

    def request(self, method: str, path: str, *, parameters: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a request."""

    def watch(self, path: str, version: str) -> Generator[dict[str, Any]]:
        """Yield the changes since a version."""

    def close(self) -> None:
        """Close the connections."""


class Follower:
    """Follows one namespace, in two threads, until it is stopped."""

    def __init__(
        self,
        namespace: str,
        connect: Callable[[], Apiserver],
        publish: Callable[[list[Object], list[Object]], None],
    ) -> None:
        """Prepare; nothing runs yet.

        :param connect: return a new connection with the credential that the kubelet has now.
        :param publish: called with all Services and all EndpointSlices whenever one of them has changed.
        """
        self._namespace = namespace
        self._connect = connect
        self._publish = publish
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Object]] = {}
        """Objects by kind and name; a kind is missing until it was listed once."""
        self._stop = threading.Event()
        self._started = time.monotonic()

    def start(self) -> None:
        """Begin to follow."""
        for kind in PATHS:
            threading.Thread(target=self.follow, args=(kind,), name=f"{kind} of {self._namespace}", daemon=True).start()

    def stop(self) -> None:
        """Publish nothing more. A thread that waits for the apiserver ends when the answer does."""
        with self._lock:
            self._stop.set()

    def follow(self, kind: str) -> None:
        """List and watch one kind until stopped; whatever fails is tried again."""
        pauses = 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._follow_once(kind)
            except errors.HypernetesError as error:
                quiet = isinstance(error, errors.Refused) and time.monotonic() - self._started < _QUIET_REFUSALS
                (LOG.debug if quiet else LOG.warning)("The %s of %s are not known: %s", kind, self._namespace, error)
                pauses = min(max(pauses * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            except Exception:
                LOG.exception("The %s of %s are not known", kind, self._namespace)
                pauses = _LONGEST_PAUSE
            if time.monotonic() - began > _LONGEST_PAUSE:
                pauses = _FIRST_PAUSE  # it worked until now
            self._stop.wait(backoff.jittered(pauses))

    def _follow_once(self, kind: str) -> None:
        """List, then watch for as long as the apiserver continues from where it was."""
        path = PATHS[kind].format(self._namespace)
        server = self._connect()
        try:
            listing = server.request("GET", path)
            version = str(listing["metadata"]["resourceVersion"])
            self._replace(kind, {item["metadata"]["name"]: item for item in listing["items"]})
            while not self._stop.is_set():
                for event in server.watch(path, version):
                    version = str(event["object"]["metadata"]["resourceVersion"])
                    self._change(kind, str(event["type"]), event["object"])
                    if self._stop.is_set():
                        return
                # So that one that ends each answer at once is not asked without a pause.
                self._stop.wait(backoff.jittered(_FIRST_PAUSE))
        finally:
            server.close()

    def _replace(self, kind: str, items: dict[str, Object]) -> None:
        with self._lock:
            self._known[kind] = items
            self._publish_known()

    def _change(self, kind: str, event: str, item: Object) -> None:
        if event == "BOOKMARK":
            return
        with self._lock:
            if event == "DELETED":
                self._known[kind].pop(item["metadata"]["name"], None)
            else:
                self._known[kind][item["metadata"]["name"]] = item
            self._publish_known()

    def _publish_known(self) -> None:
        """Publish what is complete. In the order of the changes, since the lock is held."""
        if len(self._known) == len(PATHS) and not self._stop.is_set():
            self._publish(list(self._known[SERVICES].values()), list(self._known[SLICES].values()))
