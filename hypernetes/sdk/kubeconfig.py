# SPDX-License-Identifier: Apache-2.0
"""Builds and merges kubeconfigs; pure except for the two functions at the end.

The name of a context is made for people: ``<cluster>-<project>``. Other projects and clusters may have the same names,
in another domain or another cloud, so that each entry records in an extension whose it is.
"""

import base64
import copy
import hashlib
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

CREDENTIAL_ID = "OS_APPLICATION_CREDENTIAL_ID"
CREDENTIAL_SECRET = "OS_APPLICATION_CREDENTIAL_SECRET"  # noqa: S105 - the name of a variable

EXTENSION = "hypernetes.openstack.org/access"

_SECTIONS = ("clusters", "contexts", "users")


class Unreadable(Exception):
    """An existing file is not a kubeconfig; it is left alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a kubeconfig says about one cluster and one project."""

    cluster_id: str
    cluster_name: str
    api_address: str
    ca_certificate: str
    project_id: str
    project_name: str
    helper: str
    """The exec-credential helper: a path, or a name that kubectl finds on PATH."""
    environment: Mapping[str, str] = field(repr=False)
    """Variables the helper gets in addition to those of kubectl itself; may hold a secret."""
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names an access is entered."""

    cluster: str
    """Projects share the entry of their cluster."""
    context: str
    """Also the user's."""


def choose_names(existing: Mapping[str, Any], access: Access) -> Names:
    """Choose names that replace an earlier entry for the same access, and never one for another."""
    cluster = access.cluster_name
    entry = _entry(existing, "clusters", cluster)
    known = _recorded(entry).get("cluster_id")
    # A cluster that was created again at the same address takes the place of the former one.
    if known not in (None, access.cluster_id) and entry.get("server") != access.api_address:
        cluster = f"{cluster}-{_digest(access.cluster_id)}"
    # Letters of any script stay as they are, so that names that differ go on to differ.
    context = re.sub(r"[^\w.-]", "-", f"{cluster}-{access.project_name}")
    entry = _entry(existing, "contexts", context)
    known = _recorded(entry).get("project_id")
    if known is not None and (known, entry.get("cluster")) != (access.project_id, cluster):
        context = f"{context}-{_digest(access.cluster_id, access.project_id)}"
    return Names(cluster=cluster, context=context)


def document(access: Access, names: Names) -> dict[str, Any]:
    """Return a kubeconfig with nothing but this access."""
    cluster = {
        "server": access.api_address,
        "certificate-authority-data": base64.b64encode(access.ca_certificate.encode()).decode(),
        "extensions": [{"name": EXTENSION, "extension": {"cluster_id": access.cluster_id}}],
    }
    helper: dict[str, Any] = {
        "apiVersion": EXEC_API_VERSION,
        "command": access.helper,
        "interactiveMode": "Never",
        "installHint": "Install hypernetes, which provides hypernetes-kube-login.",
    }
    if access.environment:
        helper["env"] = [{"name": name, "value": value} for name, value in access.environment.items()]
    context: dict[str, Any] = {"cluster": names.cluster, "user": names.context}
    if access.namespace is not None:
        context["namespace"] = access.namespace
    context["extensions"] = [{"name": EXTENSION, "extension": {"project_id": access.project_id}}]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": names.cluster, "cluster": cluster}],
        "users": [{"name": names.context, "user": {"exec": helper}}],
        "contexts": [{"name": names.context, "context": context}],
        "current-context": names.context,
    }


def merge(existing: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``existing`` with the entries of ``new`` in place of those of the same names, and its current context."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", **copy.deepcopy(dict(existing))}
    for section in _SECTIONS:
        names = {entry["name"] for entry in new[section]}
        kept = [entry for entry in merged.get(section) or [] if entry.get("name") not in names]
        merged[section] = [*kept, *copy.deepcopy(new[section])]
    merged["current-context"] = new["current-context"]
    return merged


def credential_of(existing: Mapping[str, Any], name: str) -> str | None:
    """Return the ID of the application credential that user ``name`` has in a kubeconfig, if any."""
    helper = _entry(existing, "users", name).get("exec")
    variables = (helper.get("env") if isinstance(helper, dict) else None) or []
    return {variable.get("name"): variable.get("value") for variable in variables}.get(CREDENTIAL_ID)


def _entry(existing: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    for entry in existing.get(section) or []:
        if entry.get("name") == name:
            content = entry.get(section.removesuffix("s"))
            return content if isinstance(content, dict) else {}
    return {}


def _recorded(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    for extension in entry.get("extensions") or []:
        if isinstance(extension, dict) and extension.get("name") == EXTENSION:
            content = extension.get("extension")
            return content if isinstance(content, dict) else {}
    return {}


def _digest(*identifiers: str) -> str:
    return hashlib.sha256("/".join(identifiers).encode()).hexdigest()[:8]


def read(path: Path) -> dict[str, Any]:
    """Return the kubeconfig at ``path``; an empty one if there is none.

    :raises Unreadable: when it is something else.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
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
    """Replace the file atomically, readable only by the user; a symbolic link stays one.

    :raises OSError: when it cannot be written.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".kubeconfig-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
