# SPDX-License-Identifier: Apache-2.0
"""Reports the node and the state of its programs, and receives the conductor's orders."""

import importlib.metadata
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from oslo_log import log

from hypernetes.agent.host import containerd
from hypernetes.agent.host import kubelet
from hypernetes.agent.host import node as nodes
from hypernetes.model import errors
from hypernetes.rpc import messages
from hypernetes.rpc import request_context

LOG = log.getLogger(__name__)

JITTER = 0.1
"""Part of the interval by which reports vary, so that nodes that started together do not report together forever."""


class Conductor(Protocol):
    """The conductor's methods that heartbeats use."""

    @property
    def caller(self) -> messages.Caller:
        """The node's identity and token."""

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Report, and receive the order that waits, if any."""


def version() -> str:
    """Return the version of the installed package."""
    try:
        return importlib.metadata.version("hypernetes")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def report(node: nodes.Node, caller: messages.Caller) -> messages.Heartbeat:
    """Return the present report."""
    return messages.Heartbeat(
        caller=caller,
        address=str(node.conf.node.address),
        agent_version=version(),
        boot_id=nodes.boot_id(),
        services={name: node.services.state(name).value for name in (containerd.PROGRAM, kubelet.PROGRAM)},
    )


def beat_until(
    stop: threading.Event, node: nodes.Node, conductor: Conductor, submit: Callable[[messages.PhaseOrder], None]
) -> None:
    """Report at once and then every ``[agent] heartbeat_interval`` seconds, until ``stop``."""
    interval: float = node.conf.agent.heartbeat_interval
    while not stop.is_set():
        started = time.monotonic()
        request_context.begin()
        try:
            answer = conductor.heartbeat(report(node, conductor.caller))
        except errors.HypernetesError as error:
            LOG.warning("The heartbeat was not answered: %s", error)
        except Exception:
            LOG.exception("The heartbeat failed")
        else:
            if answer.order is not None:
                submit(answer.order)
        pause = interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        stop.wait(max(pause - (time.monotonic() - started), 0.05))
