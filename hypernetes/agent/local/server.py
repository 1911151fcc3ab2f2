# SPDX-License-Identifier: Apache-2.0
"""The socket on which the CNI executable asks: one line of JSON, one line back, bounded in size, time and number."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

from oslo_log import log

from hypernetes.agent.local import fair_executor
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import manager
from hypernetes.agent.ports import sandboxes
from hypernetes.agent.ports.sandboxes import Sandbox
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.model import errors

LOG = log.getLogger(__name__)

MAX_REQUEST_BYTES = 1024 * 1024
"""A GC call names every attachment of the node."""
READ_SECONDS = 10.0
BACKLOG = 128
READERS = 8
IDLE_SECONDS = 0.5
"""How soon a stop is noticed."""

# The CNI specification's codes (section "Error"); above 99 are ours, as hypernetes.cni.errors has them.
_UNKNOWN_CONTAINER = 3
_DECODING_FAILURE = 6
_TRY_AGAIN_LATER = 11
_NOT_AVAILABLE = 50
_REFUSED = 100


class _Refusal(Exception):
    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.answer = {"error": {"code": code, "message": message, "details": details}}


class Handler:
    """Requests of the CNI executable to answers; every one of them is checked here."""

    def __init__(self, ports: manager.Ports) -> None:
        self._ports = ports
        self._commands: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "ADD": self._add,
            "DEL": self._delete,
            "CHECK": self._check,
            "STATUS": self._status,
            "GC": self._collect,
        }

    def handle(self, line: bytes) -> dict[str, Any]:
        """The answer to one request; never raises."""
        try:
            return {"result": self._dispatch(line)}
        except _Refusal as refusal:
            return refusal.answer
        except errors.Unavailable as error:
            return _Refusal(_TRY_AGAIN_LATER, error.message, error.detail).answer
        except errors.HypernetesError as error:
            return _Refusal(_REFUSED, error.message, error.detail).answer
        except drivers.PlugError as error:
            return _Refusal(_TRY_AGAIN_LATER, str(error)).answer
        except Exception as error:
            LOG.exception("A request of the CNI executable failed")
            return _Refusal(_REFUSED, f"hypernetes-agent failed ({type(error).__name__}); its log has the cause").answer

    def _dispatch(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            command = self._commands[request["command"]]
        except (ValueError, KeyError, TypeError):
            raise _Refusal(_DECODING_FAILURE, "the request is none of the agent's") from None
        return command(request)

    def _add(self, request: Mapping[str, Any]) -> dict[str, Any]:
        pod = request.get("pod")
        if not isinstance(pod, dict):
            raise _Refusal(_DECODING_FAILURE, "the request lacks pod")
        sandbox = self._ports.add(
            Sandbox(
                sandbox_id=_sandbox_id(request),
                state=SandboxState.ALLOCATING,
                netns=_text(request, "netns"),
                pod_namespace=_text(pod, "namespace"),
                pod_name=_text(pod, "name"),
                pod_uid=_text(pod, "uid"),
                created_at=time.time(),
            )
        )
        return sandboxes.shim_record(sandbox)

    def _delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._ports.delete(_sandbox_id(request))
        return {}

    def _check(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._ports.check(_sandbox_id(request))
        except manager.UnknownSandbox as error:
            raise _Refusal(_UNKNOWN_CONTAINER, f"sandbox {error} has no port on this node") from error
        except drivers.PlugError as error:
            raise _Refusal(_REFUSED, str(error)) from error
        return {}

    def _status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        try:
            self._ports.status()
        except drivers.PlugError as error:
            raise _Refusal(_NOT_AVAILABLE, "no port can be plugged on this node", str(error)) from error
        return {}

    def _collect(self, request: Mapping[str, Any]) -> dict[str, Any]:
        attachments = request.get("attachments")
        if not isinstance(attachments, list):
            raise _Refusal(_DECODING_FAILURE, "the request lacks attachments")
        self._ports.keep_only(str(attachment) for attachment in attachments)
        return {}


def _text(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping.get(name)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise _Refusal(_DECODING_FAILURE, f"{name} is missing, no text or too long")
    return value


def _sandbox_id(request: Mapping[str, Any]) -> str:
    sandbox_id = _text(request, "container_id")
    if not sandboxes.is_sandbox_id(sandbox_id):
        raise _Refusal(_DECODING_FAILURE, "container_id is no identifier")
    return sandbox_id


def _command_and_namespace(line: bytes) -> tuple[str, str]:
    """Whose turn it would be, unchecked: what is wrong with the request the handler says."""
    try:
        request = json.loads(line)
        command = request["command"]
        namespace = request["pod"]["namespace"] if command == "ADD" else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", ""
    return str(command), str(namespace)


class LocalServer:
    """Accepts on the unix socket; root only, by the socket's mode and by the peer's credentials.

    :param workers: how many ADDs are worked on at once
    """

    def __init__(self, path: Path, handle: Callable[[bytes], dict[str, Any]], workers: int) -> None:
        self._path = path
        self._handle = handle
        self._readers = futures.ThreadPoolExecutor(READERS, thread_name_prefix="cni-read")
        # Accepting stops while all readers are busy: further callers wait in the kernel's queue.
        self._free = threading.Semaphore(READERS)
        self._turns = fair_executor.FairExecutor(workers)
        self._socket: socket.socket | None = None

    def bind(self) -> None:
        """Listen; a socket that a killed agent left is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        temporary = self._path.with_name(f".{self._path.name}.new")
        temporary.unlink(missing_ok=True)
        listener.bind(str(temporary))
        # The mode is right before the name is: nobody ever finds a socket that is open to others.
        temporary.chmod(0o600)
        listener.listen(BACKLOG)
        temporary.rename(self._path)
        listener.settimeout(IDLE_SECONDS)
        self._socket = listener

    def serve_until(self, stop: threading.Event) -> None:
        """Accept until ``stop``; then finish what was begun."""
        assert self._socket is not None
        with self._socket as listener:
            while not stop.is_set():
                self._turns.expire()
                if not self._free.acquire(timeout=IDLE_SECONDS):
                    continue
                try:
                    connection, _ = listener.accept()
                except OSError as error:
                    self._free.release()
                    if not isinstance(error, TimeoutError):
                        LOG.warning("A connection was not accepted: %s", error)
                    continue
                self._readers.submit(self._receive, connection)
        self._readers.shutdown(wait=True)
        self._turns.close()

    def _receive(self, connection: socket.socket) -> None:
        """Read the request first: only then is it known whose turn it takes."""
        try:
            line = _read(connection)
        except OSError as error:
            LOG.info("A caller went before it had asked: %s", error)
            line = None
        finally:
            self._free.release()
        if line is None:
            connection.close()
            return
        command, namespace = _command_and_namespace(line)
        self._turns.submit(
            command,
            namespace,
            work=lambda: _reply(connection, lambda: self._handle(line)),
            refuse=lambda: _reply(connection, lambda: _busy(namespace)),
        )


def _read(connection: socket.socket) -> bytes | None:
    """The line of a caller that may ask; None where it may not, or did not finish it."""
    connection.settimeout(READ_SECONDS)
    if _peer_user(connection) != 0:
        return None
    with connection.makefile("rb") as file:
        line = file.readline(MAX_REQUEST_BYTES)
    return line if line.endswith(b"\n") else None


def _reply(connection: socket.socket, answer: Callable[[], dict[str, Any]]) -> None:
    with connection:
        text = json.dumps(answer()).encode() + b"\n"
        try:
            connection.sendall(text)
        except OSError as error:
            # The caller has gone, killed with its runtime: what was done for it is found by the next DEL or search.
            LOG.info("A caller did not wait for its answer: %s", error)


def _busy(namespace: str) -> dict[str, Any]:
    return _Refusal(
        _TRY_AGAIN_LATER,
        f"namespace {namespace} has {fair_executor.ADDS_PER_NAMESPACE} pods being connected on this node already",
    ).answer


def _peer_user(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, user, _group = struct.unpack("3i", credentials)
    return int(user)
