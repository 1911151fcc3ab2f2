# SPDX-License-Identifier: Apache-2.0
"""The socket the CNI executable calls: one line of JSON, one line back, bounded in size, time and number."""

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

from hypernetes.agent.local import errors as cni_errors
from hypernetes.agent.local import fair_executor
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import sandbox_ports
from hypernetes.agent.ports import sandboxes
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.model import errors
from hypernetes.rpc import request_context

LOG = log.getLogger(__name__)

MAX_REQUEST_BYTES = 1024 * 1024
"""A GC call names every attachment of the node."""
READ_SECONDS = 10.0
BACKLOG = 128
READERS = 8
IDLE_SECONDS = 0.5
"""Interval, in seconds, at which the server looks for a stop."""


class Handler:
    """Answers the requests of the CNI executable, after checking each of them."""

    def __init__(self, ports: sandbox_ports.SandboxPorts) -> None:
        self._ports = ports
        self._commands: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "ADD": self._add,
            "DEL": self._delete,
            "CHECK": self._check,
            "STATUS": self._status,
            "GC": self._collect,
        }

    def handle(self, line: bytes) -> dict[str, Any]:
        """Answer one request; never raises."""
        # A CNI call is a request of its own: the conductor logs its work under the same ID.
        request_context.begin()
        try:
            return {"result": self._dispatch(line)}
        except cni_errors.CniRefusal as refusal:
            return refusal.answer
        except (errors.HypernetesError, drivers.PlugFailed) as error:
            return cni_errors.translate(error).answer
        except Exception as error:
            LOG.exception("A request of the CNI executable failed")
            message = f"hypernetes-agent failed ({type(error).__name__}); its log has the cause"
            return cni_errors.CniRefusal(cni_errors.REFUSED, message).answer

    def _dispatch(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            command = self._commands[request["command"]]
        except (ValueError, KeyError, TypeError):
            raise cni_errors.malformed("the request is not a CNI command of this agent") from None
        return command(request)

    def _add(self, request: Mapping[str, Any]) -> dict[str, Any]:
        pod = request.get("pod")
        if not isinstance(pod, dict):
            raise cni_errors.malformed("the request lacks pod")
        sandbox = self._ports.add(
            SandboxRecord(
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
        except sandbox_ports.UnknownSandbox as error:
            message = f"sandbox {error} has no port on this node"
            raise cni_errors.CniRefusal(cni_errors.UNKNOWN_CONTAINER, message) from error
        except drivers.PlugFailed as error:
            raise cni_errors.CniRefusal(cni_errors.REFUSED, str(error)) from error
        return {}

    def _status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        try:
            self._ports.status()
        except drivers.PlugFailed as error:
            message = "no port can be plugged on this node"
            raise cni_errors.CniRefusal(cni_errors.NOT_AVAILABLE, message, str(error)) from error
        return {}

    def _collect(self, request: Mapping[str, Any]) -> dict[str, Any]:
        attachments = request.get("attachments")
        if not isinstance(attachments, list):
            raise cni_errors.malformed("the request lacks attachments")
        self._ports.keep_only(str(attachment) for attachment in attachments)
        return {}


def _text(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping.get(name)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise cni_errors.malformed(f"{name} is missing, not a string or too long")
    return value


def _sandbox_id(request: Mapping[str, Any]) -> str:
    sandbox_id = _text(request, "container_id")
    if not sandboxes.is_sandbox_id(sandbox_id):
        raise cni_errors.malformed("container_id is not a valid identifier")
    return sandbox_id


def _command_and_namespace(line: bytes) -> tuple[str, str]:
    """Read what the executor schedules a request by; the handler reports what is wrong with the request."""
    try:
        request = json.loads(line)
        command = request["command"]
        namespace = request["pod"]["namespace"] if command == "ADD" else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", ""
    return str(command), str(namespace)


class LocalServer:
    """Accepts connections on the Unix socket from root only, by the socket's mode and the peer's credentials.

    :param workers: maximum number of ADDs processed at the same time.
    :param project_of: returns the project of a namespace of pods.
    """

    def __init__(
        self,
        path: Path,
        handle: Callable[[bytes], dict[str, Any]],
        workers: int,
        project_of: Callable[[str], str] = lambda namespace: namespace,
    ) -> None:
        self._path = path
        self._handle = handle
        self._readers = futures.ThreadPoolExecutor(READERS, thread_name_prefix="cni-read")
        # Accepting stops while all readers are busy: further clients wait in the kernel's queue.
        self._free = threading.Semaphore(READERS)
        self._executor = fair_executor.FairExecutor(workers, project_of)
        self._socket: socket.socket | None = None

    def bind(self) -> None:
        """Listen, replacing the socket that a killed agent left."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        temporary = self._path.with_name(f".{self._path.name}.new")
        temporary.unlink(missing_ok=True)
        listener.bind(str(temporary))
        # The mode is set before the rename, so that the socket is never accessible to other users.
        temporary.chmod(0o600)
        listener.listen(BACKLOG)
        temporary.rename(self._path)
        listener.settimeout(IDLE_SECONDS)
        self._socket = listener

    def serve_until(self, stop: threading.Event) -> None:
        """Accept connections until ``stop``, then complete the requests in progress."""
        assert self._socket is not None
        with self._socket as listener:
            while not stop.is_set():
                self._executor.expire()
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
        self._executor.close()

    def _receive(self, connection: socket.socket) -> None:
        """Read the request and submit it under its command and namespace."""
        try:
            line = _read(connection)
        except OSError as error:
            LOG.info("Client disconnected before sending a request: %s", error)
            line = None
        finally:
            self._free.release()
        if line is None:
            connection.close()
            return
        command, namespace = _command_and_namespace(line)
        self._executor.submit(
            command,
            namespace,
            work=lambda: _reply(connection, lambda: self._handle(line)),
            refuse=lambda: _reply(connection, lambda: _busy(namespace)),
        )


def _read(connection: socket.socket) -> bytes | None:
    """Read the request of a permitted client; None if the client is not root or the line is incomplete."""
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
            # The client was killed with its runtime: the next DEL or collection cleans up what was done for it.
            LOG.info("Client disconnected before reading the answer: %s", error)


def _busy(namespace: str) -> dict[str, Any]:
    message = f"namespace {namespace} or its project has too many pods being connected on this node already"
    return cni_errors.CniRefusal(cni_errors.TRY_AGAIN_LATER, message).answer


def _peer_user(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, user, _group = struct.unpack("3i", credentials)
    return int(user)
