# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin (specification 1.1): passes the call to the node's agent and prints its answer for the runtime."""

import json
import os
import sys
from typing import Any

from hypernetes.cni import agent
from hypernetes.cni import answer
from hypernetes.cni import errors
from hypernetes.cni import request

MAX_CONFIGURATION_BYTES = 4 * 1024 * 1024
"""A GC call names every attachment of the node."""


def main() -> int:
    """Carry out one call given by environment and standard input; return the exit status."""
    text = sys.stdin.read(MAX_CONFIGURATION_BYTES)
    try:
        result = call(dict(os.environ), text)
        status = 0
    except errors.CniError as error:
        result = answer.failed(_version(text), error)
        status = 1
    if result is not None:
        sys.stdout.write(json.dumps(result) + "\n")
    return status


def call(environment: dict[str, str], text: str) -> dict[str, Any] | None:
    """Carry out one call and return its result; None for commands that print none (DEL, CHECK, STATUS, GC).

    :raises errors.CniError: when it fails.
    """
    command, configuration, asked = request.parse(environment, text)
    if command == "VERSION":
        return answer.versions()
    try:
        path = str(configuration["socket"])
        timeout = float(configuration["timeout"])
    except (KeyError, TypeError, ValueError):
        message = "the network configuration needs socket and timeout"
        raise errors.CniError(errors.INVALID_CONFIGURATION, message) from None
    port = agent.ask(path, asked, timeout)
    return answer.added(configuration["cniVersion"], asked, port) if command == "ADD" else None


def _version(text: str) -> str | None:
    try:
        version = json.loads(text)["cniVersion"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None
