# SPDX-License-Identifier: Apache-2.0
"""Carries out the conductor's phase orders, one at a time, and reports each until the conductor has answered.

Orders come by a cast and again with every heartbeat, so a lost one costs a heartbeat. The last result is written down:
a killed agent reports it without running the phase again, and runs again only what it had not finished.
"""

import contextlib
import operator
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import tenacity
from oslo_log import log

from hypernetes.agent import backoff
from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent import files
from hypernetes.agent.host import node as nodes
from hypernetes.model import errors
from hypernetes.rpc import codec
from hypernetes.rpc import messages
from hypernetes.rpc import request_context

LOG = log.getLogger(__name__)

MAX_MESSAGE_CHARACTERS = 2000
POLL_SECONDS = 0.5


class Conductor(Protocol):
    """The conductor's methods that orders use."""

    @property
    def caller(self) -> messages.Caller:
        """The node's identity and token."""

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Report the result of a phase."""


class Orders:
    """Carries out the orders of one node."""

    def __init__(
        self,
        node: nodes.Node,
        phases: Mapping[str, bootstrap.Phase],
        conductor: Conductor,
        state: Path,
        retry_max_interval: float = 30.0,
    ) -> None:
        self._node = node
        self._phases = phases
        self._conductor = conductor
        self._path = state / "phase-result.json"
        self._retry_max_interval = retry_max_interval
        self._queue: queue.SimpleQueue[tuple[messages.PhaseOrder, str | None]] = queue.SimpleQueue()
        """Each order with the ID of the request that brought it."""
        self._lock = threading.Lock()
        self._accepted: set[str] = set()

    def submit(self, order: messages.PhaseOrder) -> None:
        """Queue the order, unless it is already queued, running or being reported."""
        with self._lock:
            if order.order_id in self._accepted:
                return
            self._accepted.add(order.order_id)
        self._queue.put((order, request_context.current_id()))

    def run_until(self, stop: threading.Event) -> None:
        """Carry out orders until ``stop``."""
        while not stop.is_set():
            try:
                order, request_id = self._queue.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            request_context.begin(request_id)
            try:
                self._report(self._result(order), stop)
            finally:
                with self._lock:
                    self._accepted.discard(order.order_id)

    def _result(self, order: messages.PhaseOrder) -> messages.PhaseResult:
        written = files.read_json(self._path)
        if isinstance(written, dict) and written.get("order_id") == order.order_id:
            try:
                # The caller is not recorded there; the token has a file of its own.
                return codec.decode(messages.PhaseResult, written | {"caller": codec.encode(self._conductor.caller)})
            except codec.MalformedMessage:
                LOG.warning(
                    "The result written down for order %s is not valid; carrying the order out again", order.order_id
                )
        result = self._carry_out(order)
        data = codec.encode(result)
        del data["caller"]
        files.write_json(self._path, data)
        return result

    def _carry_out(self, order: messages.PhaseOrder) -> messages.PhaseResult:
        LOG.info("Phase %s begins (order %s)", order.phase, order.order_id)
        outputs: bootstrap.Outputs = {}
        message = ""
        try:
            phase = self._phases.get(order.phase)
            if phase is None:
                raise bootstrap.NodePhaseFailed("this agent does not know the phase: it is older than the conductor")
            outputs = phase(self._node, order.inputs)
        except bootstrap.NodePhaseFailed as error:
            message = str(error)
        except Exception as error:
            LOG.exception("Phase %s failed", order.phase)
            message = f"unexpected {type(error).__name__}: {error}"
        # An empty message means success.
        message = commands.without_secrets(message)[:MAX_MESSAGE_CHARACTERS]
        LOG.info("Phase %s ended: %s", order.phase, message or "done")
        return messages.PhaseResult(
            caller=self._conductor.caller,
            order_id=order.order_id,
            ok=not message,
            message=message,
            outputs=outputs,
        )

    def _report(self, result: messages.PhaseResult, stop: threading.Event) -> None:
        retrying = backoff.until_stopped(stop, 0.2, self._retry_max_interval)
        with contextlib.suppress(tenacity.RetryError):
            retrying.copy(retry=tenacity.retry_if_result(operator.not_))(self._is_reported, result)

    def _is_reported(self, result: messages.PhaseResult) -> bool:
        """Report once; return whether the conductor has answered, be it that it does not want the result."""
        try:
            self._conductor.phase_result(result)
        except errors.HypernetesError as error:
            if error.status < 500 and not isinstance(error, errors.Unauthenticated):
                # The order was replaced in the meantime.
                LOG.info("The conductor does not want the result of order %s: %s", result.order_id, error)
                return True
            LOG.warning("The result of order %s is not reported yet: %s", result.order_id, error)
            return False
        return True
