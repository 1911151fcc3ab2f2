# SPDX-License-Identifier: Apache-2.0
"""Reads kubeconfigs with a client certificate, as ``kubeadm kubeconfig user`` writes them."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hypernetes.kubernetes import client
from hypernetes.model import errors


class KubeconfigUnusable(errors.HypernetesError):
    """A kubeconfig cannot be read, or lacks what a client needs."""

    code = "hypernetes.kubeconfig.unusable"
    template = "The kubeconfig {path} cannot be used: {reason}."
    remedy = "Write it again with `kubeadm kubeconfig user` on a control node of the cluster."


def load(path: Path, *, timeout: float) -> client.ClusterClient:
    """Return a client of the current context's cluster, with its client certificate.

    :param timeout: seconds for each of connecting, sending and waiting for an answer.
    :raises KubeconfigUnusable: when the file cannot be read or has no certificate.
    """
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document, "contexts", document["current-context"])["context"]
        cluster = _named(document, "clusters", context["cluster"])["cluster"]
        user = _named(document, "users", context["user"])["user"]
        ca = _decoded(cluster, "certificate-authority-data")
        certificate, key = _decoded(user, "client-certificate-data"), _decoded(user, "client-key-data")
        return client.ClusterClient(cluster["server"], ca, certificate, key, timeout=timeout)
    except OSError as error:
        # Its own text names the path once more; an SSLError says nothing of the key.
        raise KubeconfigUnusable(path=path, reason=error.strerror or type(error).__name__) from error
    except KeyError as error:
        raise KubeconfigUnusable(path=path, reason=f"it has no {error.args[0]}") from error
    except (TypeError, ValueError, yaml.YAMLError) as error:
        # Not the parser's text, which quotes the file.
        raise KubeconfigUnusable(path=path, reason="it is not a valid kubeconfig") from error


def _named(document: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    for entry in document[section]:
        if entry["name"] == name:
            return dict(entry)
    raise KeyError(f"{name} in {section}")


def _decoded(section: Mapping[str, Any], field: str) -> str:
    try:
        return base64.b64decode(section[field], validate=True).decode()
    except binascii.Error as error:
        raise ValueError(field) from error
