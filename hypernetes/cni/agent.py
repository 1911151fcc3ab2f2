# SPDX-License-Identifier: Apache-2.0
"""The client of the agent's Unix socket: one line of JSON there, one line back."""

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from hypernetes.cni import errors

MAX_ANSWER_BYTES = 256 * 1024
RECONNECT_SECONDS = 20.0
"""How long an agent that is being restarted is waited for; a DEL that fails leaves a dead pod on the node."""
STATUS_RECONNECT_SECONDS = 1.0
"""The same for STATUS, which the runtime asks all the time: an agent that is away is the answer."""
STATUS_SECONDS = 5.0
"""The whole exchange of STATUS at most: a late answer would cost the node its readiness as surely as a bad one."""
RECONNECT_PAUSE_SECONDS = 0.1


def ask(path: str, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Send a request and return the agent's answer.

    :param timeout: seconds for the whole exchange.
    :raises errors.CniError: when the agent does not answer (the runtime may retry) or refuses.
    """
    asks_status = request.get("command") == "STATUS"
    patience = STATUS_RECONNECT_SECONDS if asks_status else RECONNECT_SECONDS
    deadline = time.monotonic() + (min(timeout, STATUS_SECONDS) if asks_status else timeout)
    try:
        with _connection(path, min(deadline, time.monotonic() + patience)) as connection:
            connection.settimeout(max(deadline - time.monotonic(), 0.1))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection, deadline)
    except OSError as error:
        raise errors.CniError(
            errors.TRY_AGAIN_LATER, f"hypernetes-agent does not answer at {path}", str(error)
        ) from None
    if not line.endswith(b"\n"):
        # The agent was killed meanwhile; it resumes the operation when the runtime retries.
        raise errors.CniError(errors.TRY_AGAIN_LATER, "hypernetes-agent exited before it answered")
    return _result(line)


def _connection(path: str, deadline: float) -> socket.socket:
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(max(deadline - time.monotonic(), 0.1))
            connection.connect(path)
        except OSError:
            connection.close()
            if time.monotonic() >= deadline:
                raise
            time.sleep(RECONNECT_PAUSE_SECONDS)
        else:
            return connection


def _line(connection: socket.socket, deadline: float) -> bytes:
    """Read up to the end of a line; a socket's own timeout would start again with each piece."""
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ANSWER_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it did not answer in time")
        connection.settimeout(left)
        piece = connection.recv(65536)
        if not piece:
            break
        line += piece
    return line


def _result(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise errors.CniError(int(error["code"]), str(error["message"]), str(error.get("details", "")))
        result = answer["result"]
    except (ValueError, KeyError, TypeError):
        raise errors.CniError(errors.DECODING_FAILURE, "the answer of hypernetes-agent is not valid") from None
    return dict(result)
