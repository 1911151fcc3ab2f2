# SPDX-License-Identifier: Apache-2.0
"""Phase ``join``: kubeadm configures the kubelet as the cluster's, and the agent starts it.

kubeadm expects to authenticate with a bootstrap token, with which the kubelet then asks for its own certificate. Here
the kubelet has its certificate already: it is what kubeadm authenticates with.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import files
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.host import node as nodes
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.bootstrap import phases

_CLUSTER = "kubernetes"
_USER = "kubelet"


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Write the kubelet's certificate and kubeconfig, have kubeadm do its part, and start the kubelet."""
    configuration = bootstrap.required(inputs, order_names.KUBEADM_FILE)
    ca = bootstrap.required(inputs, order_names.CA_CERTIFICATE)
    server = bootstrap.required(inputs, order_names.API_SERVER)
    certificate = bootstrap.required(inputs, order_names.NODE_CERTIFICATE)
    # Written after kubeadm has succeeded; kubeadm refuses a node that is Ready already.
    if not node.layout.kubelet_script.exists():
        write_certificate(node, certificate)
        discovery = node.layout.cluster_files / "discovery.conf"
        files.write(discovery, kubeconfig(server, ca, node.layout.kubelet_client))
        path = write_configuration(node, configuration, discovery)
        _run_kubeadm(node, str(path))
        discovery.unlink()
        # The kubelet prefers its own kubeconfig; the other one would have a copy of its key in it.
        files.write(node.layout.kubernetes / "kubelet.conf", kubeconfig(server, ca, node.layout.kubelet_client))
        _forget_bootstrap(node)
    kubeadm.start_kubelet(node)
    return {}


def _run_kubeadm(node: nodes.Node, path: str) -> None:
    # What a run that was killed has left would fail the preflight checks.
    _forget_bootstrap(node)
    for name in ("kubelet.conf", "pki/ca.crt"):
        (node.layout.kubernetes / name).unlink(missing_ok=True)
    for call in phases.JOIN.kubeadm:
        words = ["join", "phase", *call, "--config", path]
        kubeadm.run(node, words, f"join {' '.join(call)}", phases.JOIN.timeout / 2)


def _forget_bootstrap(node: nodes.Node) -> None:
    (node.layout.kubernetes / "bootstrap-kubelet.conf").unlink(missing_ok=True)


def write_certificate(node: nodes.Node, certificate: str) -> None:
    """Write certificate and key as the kubelet keeps them: one file, and a link that it replaces at each renewal.

    https://pkg.go.dev/k8s.io/client-go/util/certificate#NewFileStore
    """
    if not node.layout.kubelet_key.exists():
        raise bootstrap.NodePhaseFailed("the kubelet's key does not exist: run the phase prepare-worker first")
    current = node.layout.kubelet_client
    path = current.with_name("kubelet-client-join.pem")
    files.write(path, certificate.rstrip("\n") + "\n" + node.layout.kubelet_key.read_text())
    if current.is_symlink() or current.exists():
        current.unlink()
    current.symlink_to(path)


def kubeconfig(server: str, ca: str, credential: Path) -> str:
    """Return a kubeconfig; JSON is YAML. It names the files of the credential and has none in it."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": _USER,
            "clusters": [{"name": _CLUSTER, "cluster": {"server": server, "certificate-authority-data": _base64(ca)}}],
            "contexts": [{"name": _USER, "context": {"cluster": _CLUSTER, "user": _USER}}],
            "users": [{"name": _USER, "user": {"client-certificate": str(credential), "client-key": str(credential)}}],
        },
        indent=1,
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write_configuration(node: nodes.Node, configuration: str, discovery: Path) -> Path:
    """Write what the order says, and kubeadm's configuration with this node's paths; return the latter's path."""
    files.write(node.layout.kubeadm_configuration, configuration)
    try:
        documents = {document["kind"]: document for document in yaml.safe_load_all(configuration)}
        joining, kubelet = documents["JoinConfiguration"], documents["KubeletConfiguration"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise bootstrap.NodePhaseFailed(f"the input {order_names.KUBEADM_FILE} is not a worker's: {error}") from error
    patch = {name: value for name, value in kubelet.items() if name not in ("apiVersion", "kind")}
    files.write(node.layout.patches / "kubeletconfiguration+strategic.json", json.dumps(patch))
    joining["discovery"] = {"file": {"kubeConfigPath": str(discovery)}}
    joining["caCertPath"] = str(node.layout.ca_files[0])
    joining["patches"] = {"directory": str(node.layout.patches)}
    path = node.layout.cluster_files / "kubeadm-join.yaml"
    files.write(path, yaml.safe_dump(joining, sort_keys=False))
    return path
