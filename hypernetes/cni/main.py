# SPDX-License-Identifier: Apache-2.0
"""The CNI plug-in (specification 1.1): hands the call to the node's agent and prints what the runtime expects."""

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
    """Carry out one call by environment and standard input; the exit status tells success."""
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
    """The result of one call, or None where success says nothing (DEL, CHECK, STATUS, GC).

    :raises errors.CniError: it failed.
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
