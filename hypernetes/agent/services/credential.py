# SPDX-License-Identifier: Apache-2.0
"""A connection to the apiserver as this node's kubelet: an agent has no credential of its own in the cluster."""

import base64
from pathlib import Path
from typing import Any

import yaml

from hypernetes.agent.host.layout import Layout
from hypernetes.kubernetes import client
from hypernetes.model import errors

_SERVICE = "The kubelet's kubeconfig"


def connect(layout: Layout) -> client.ClusterClient:
    """Return a connection with the certificate that the kubelet has now; it renews it from time to time.

    :raises errors.Unavailable: when the node belongs to no cluster yet, or the files are not a kubelet's.
    """
    try:
        server, ca = _cluster(layout.kubelet_configuration)
        # Certificate and key are in one file.
        return client.ClusterClient(server, ca, layout.kubelet_client.read_text(), "")
    except (OSError, KeyError, TypeError, ValueError, IndexError, yaml.YAMLError) as error:
        raise errors.Unavailable(service=_SERVICE, reason=f"{type(error).__name__}: {error}") from error


def _cluster(path: Path) -> tuple[str, str]:
    """Return the URL and the CA's certificate of the kubeconfig's only cluster."""
    configuration: Any = yaml.safe_load(path.read_text())
    cluster = configuration["clusters"][0]["cluster"]
    if "certificate-authority-data" in cluster:
        return cluster["server"], base64.b64decode(cluster["certificate-authority-data"]).decode()
    return cluster["server"], Path(cluster["certificate-authority"]).read_text()
