# SPDX-License-Identifier: Apache-2.0
"""Parses and checks the environment and the network configuration of a CNI call."""

import json
from collections.abc import Mapping
from typing import Any

from hypernetes.cni import errors

SUPPORTED_VERSIONS = ("1.0.0", "1.1.0")
COMMANDS = ("ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION")

_POD_ARGUMENTS = {"namespace": "K8S_POD_NAMESPACE", "name": "K8S_POD_NAME", "uid": "K8S_POD_UID"}


def parse(environment: Mapping[str, str], text: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the command, the network configuration and the request for the agent.

    :raises errors.CniError: when a variable or the configuration is missing or wrong.
    """
    command = environment.get("CNI_COMMAND", "")
    if command not in COMMANDS:
        raise errors.CniError(errors.INVALID_ENVIRONMENT, f"CNI_COMMAND {command!r} is not supported")
    configuration = _configuration(text, command)
    if command == "VERSION":
        return command, configuration, {}
    request: dict[str, Any] = {"command": command}
    if command in {"ADD", "DEL", "CHECK"}:
        request["container_id"] = _variable(environment, "CNI_CONTAINERID")
        request["interface"] = _variable(environment, "CNI_IFNAME")
        # Only DEL may come without: the namespace may be gone already.
        request["netns"] = environment.get("CNI_NETNS", "") if command == "DEL" else _variable(environment, "CNI_NETNS")
    if command == "ADD":
        request["pod"] = _pod(environment.get("CNI_ARGS", ""))
    if command == "GC":
        request["attachments"] = _attachments(configuration)
    return command, configuration, request


def _configuration(text: str, command: str) -> dict[str, Any]:
    try:
        configuration = json.loads(text)
    except ValueError as error:
        raise errors.CniError(
            errors.DECODING_FAILURE, "the network configuration is not valid JSON", str(error)
        ) from None
    if not isinstance(configuration, dict):
        raise errors.CniError(errors.DECODING_FAILURE, "the network configuration is not a JSON object")
    version = configuration.get("cniVersion")
    if command != "VERSION" and version not in SUPPORTED_VERSIONS:
        raise errors.CniError(
            errors.INCOMPATIBLE_VERSION, f"CNI version {version!r} is not supported", " ".join(SUPPORTED_VERSIONS)
        )
    return configuration


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value or len(value) > 4096:
        raise errors.CniError(errors.INVALID_ENVIRONMENT, f"{name} is missing or too long")
    return value


def _pod(arguments: str) -> dict[str, str]:
    """Return namespace, name and UID of the pod from the arguments that containerd and CRI-O pass."""
    pairs = dict(pair.partition("=")[::2] for pair in arguments.split(";") if pair)
    missing = [name for name in _POD_ARGUMENTS.values() if not pairs.get(name)]
    if missing:
        raise errors.CniError(errors.INVALID_ENVIRONMENT, f"CNI_ARGS lacks {', '.join(missing)}")
    return {key: pairs[name] for key, name in _POD_ARGUMENTS.items()}


def _attachments(configuration: Mapping[str, Any]) -> list[str]:
    """Return the IDs of the containers whose attachments stay, from the configuration of GC."""
    # Spec 1.1 names the key with a slash; the released libcni sends it so.
    attachments = configuration.get("cni.dev/valid-attachments")
    if not isinstance(attachments, list):
        # Without the list everything would be garbage; the specification has runtimes always send it.
        raise errors.CniError(errors.INVALID_CONFIGURATION, "GC needs cni.dev/valid-attachments")
    try:
        return [str(attachment["containerID"]) for attachment in attachments]
    except (TypeError, KeyError):
        raise errors.CniError(errors.INVALID_CONFIGURATION, "an entry of cni.dev/valid-attachments is wrong") from None
