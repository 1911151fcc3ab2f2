# SPDX-License-Identifier: Apache-2.0
"""Makes and merges kubeconfigs; pure but for the two functions at the end."""

import base64
import copy
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

EXEC_API_VERSION = "client.authentication.k8s.io/v1"

_SECTIONS = ("clusters", "contexts", "users")


class Unreadable(Exception):
    """An existing file is not a kubeconfig; it is left alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a kubeconfig says about one cluster and one project."""

    cluster_name: str
    api_address: str
    ca_certificate: str
    project_name: str
    helper: str
    """The exec-credential helper: a path, or a name that kubectl finds on PATH."""
    environment: Mapping[str, str] = field(repr=False)
    """Variables the helper gets in addition to those of kubectl itself; may hold a secret."""
    namespace: str | None = None

    @property
    def name(self) -> str:
        """Of context and user; the cluster's entry is shared by projects."""
        return re.sub(r"[^A-Za-z0-9._-]", "-", f"{self.cluster_name}-{self.project_name}")


def document(access: Access) -> dict[str, Any]:
    """A kubeconfig with nothing but this access."""
    cluster = {
        "server": access.api_address,
        "certificate-authority-data": base64.b64encode(access.ca_certificate.encode()).decode(),
    }
    helper: dict[str, Any] = {
        "apiVersion": EXEC_API_VERSION,
        "command": access.helper,
        "interactiveMode": "Never",
        "installHint": "Install hypernetes, which has hypernetes-kube-login.",
    }
    if access.environment:
        helper["env"] = [{"name": name, "value": value} for name, value in access.environment.items()]
    context = {"cluster": access.cluster_name, "user": access.name}
    if access.namespace is not None:
        context["namespace"] = access.namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": access.cluster_name, "cluster": cluster}],
        "users": [{"name": access.name, "user": {"exec": helper}}],
        "contexts": [{"name": access.name, "context": context}],
        "current-context": access.name,
    }


def merge(existing: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``existing`` with the entries of ``new`` in place of those of the same names, and its current context."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", **copy.deepcopy(dict(existing))}
    for section in _SECTIONS:
        names = {entry["name"] for entry in new[section]}
        kept = [entry for entry in merged.get(section) or [] if entry.get("name") not in names]
        merged[section] = [*kept, *copy.deepcopy(new[section])]
    merged["current-context"] = new["current-context"]
    return merged


def credential_of(existing: Mapping[str, Any], name: str) -> str | None:
    """The id of the application credential that user ``name`` has in a kubeconfig, if any."""
    for entry in existing.get("users") or []:
        if entry.get("name") == name:
            variables = ((entry.get("user") or {}).get("exec") or {}).get("env") or []
            found = {variable.get("name"): variable.get("value") for variable in variables}
            return found.get("OS_APPLICATION_CREDENTIAL_ID")
    return None


def read(path: Path) -> dict[str, Any]:
    """The kubeconfig at ``path``; an empty one if there is none.

    :raises Unreadable: it is something else.
    """
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(f"{path} cannot be read: {type(error).__name__}") from error
    if found is None:
        return {}
    sections = [found.get(section) or [] for section in _SECTIONS] if isinstance(found, dict) else [None]
    if not all(isinstance(s, list) and all(isinstance(entry, dict) for entry in s) for s in sections):
        raise Unreadable(f"{path} is not a kubeconfig")
    return dict(found)


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file at once, readable by the user alone; a symbolic link stays one.

    :raises OSError: it cannot be written.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".kubeconfig-")
    try:
        with os.fdopen(descriptor, "w") as file:
            yaml.safe_dump(dict(content), file, sort_keys=False)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
