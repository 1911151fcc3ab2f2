# SPDX-License-Identifier: Apache-2.0
"""Phase ``renew``: new certificates for the control plane and for the conductor, before the old ones expire.

kubeadm renews the files. The static pods read theirs at the start only, so their manifests are written again with an
annotation that changes, on which kubelet replaces the pods; this also brings them up to the conductor's configuration.
kubelet renews its own certificates. The CAs, which live ten years, are not renewed.
"""

import datetime
import json
from collections.abc import Mapping

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import files
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.bootstrap import sign_client
from hypernetes.agent.host import node as nodes
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import labels

RENEWED_AT = f"{labels.PREFIX}certificates-renewed-at"
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Renew, restart what uses the certificates, wait until it answers, and sign the conductor's."""
    kubeadm.refresh_configuration(node, inputs)
    path = str(node.layout.kubeadm_configuration)
    timeout = phases.RENEW.timeout / 2
    kubeadm.run(node, ["certs", "renew", "all", "--config", path], "certs renew", timeout)
    patched = write_patched_configuration(node)
    for words in (("etcd", "local"), ("control-plane", "all"), ("kubelet-start",)):
        kubeadm.run(node, kubeadm.arguments(words, patched), " ".join(words), timeout)
    kubeadm.start_kubelet(node)
    kubeadm.run(node, kubeadm.arguments(("wait-control-plane",), path), "wait-control-plane", timeout)
    return sign_client.run(node, inputs)


def write_patched_configuration(node: nodes.Node) -> str:
    """Write kubeadm's patches of the static pods, and a configuration that names them; return its path.

    kubeadm takes ``--patches`` only without ``--config``.
    """
    directory = node.layout.cluster_files / "patches"
    directory.mkdir(parents=True, exist_ok=True)
    patch = {"metadata": {"annotations": {RENEWED_AT: datetime.datetime.now(datetime.UTC).isoformat()}}}
    for name in STATIC_PODS:
        files.write(directory / f"{name}+strategic.json", json.dumps(patch))
    documents = list(yaml.safe_load_all(node.layout.kubeadm_configuration.read_text()))
    for document in documents:
        if document["kind"] == "InitConfiguration":
            document["patches"] = {"directory": str(directory)}
    path = node.layout.cluster_files / "kubeadm-renew.yaml"
    files.write(path, yaml.safe_dump_all(documents, sort_keys=False))
    return str(path)
