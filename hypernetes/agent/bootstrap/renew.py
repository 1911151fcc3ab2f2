# SPDX-License-Identifier: Apache-2.0
"""Phase ``renew``: new certificates for the control plane and for the conductor, before the old ones expire.

kubeadm renews the files. The static pods read theirs at the start only, so their manifests are written again with an
annotation that changes, on which kubelet replaces the pods; this also brings them up to the conductor's configuration.
kubelet renews its own certificates. The CAs, which live ten years, are not renewed.
"""

import datetime
import http.client
import json
import ssl
from collections.abc import Mapping

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import files
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.bootstrap import sign_client
from hypernetes.agent.bootstrap import webhook_client
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import services
from hypernetes.kubernetes.bootstrap import kubeadm as configurations
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import labels

RENEWED_AT = f"{labels.PREFIX}certificates-renewed-at"
REQUEST_SECONDS = 5.0
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Renew, restart what uses the certificates, wait until it answers, and sign the conductor's."""
    kubeadm.refresh_configuration(node, inputs)
    # The new arguments may name files that an earlier release did not write.
    rendered = {name: text for name, text in inputs.items() if name.endswith(".yaml")}
    prepare.write_cluster_files(node, rendered)
    webhook_client.install(node)
    path = str(node.layout.kubeadm_configuration)
    timeout = phases.RENEW.timeout / 2
    kubeadm.run(node, ["certs", "renew", "all", "--config", path], "certs renew", timeout)
    patched = write_patched_configuration(node)
    for words in (("etcd", "local"), ("control-plane", "all")):
        kubeadm.run(node, kubeadm.arguments(words, patched), " ".join(words), timeout)
    # kubeadm's wait-control-plane needs the administrator's kubeconfig, and the old apiserver would satisfy it.
    if not services.wait_until(lambda: is_renewed(node), timeout):
        reason = kubeadm.last_words(node.layout.pod_logs)
        raise bootstrap.NodePhaseFailed(f"the apiserver does not serve with its new certificate yet. {reason}".rstrip())
    # Not before: a kubelet that is restarted while etcd's pod is being replaced waits for the apiserver before it
    # removes the old pod, and for that before it starts the new one, without which there is no apiserver.
    kubeadm.run(node, kubeadm.arguments(("kubelet-start",), path), "kubelet-start", timeout)
    kubeadm.start_kubelet(node)
    return sign_client.run(node, inputs)


def is_renewed(node: nodes.Node) -> bool:
    """Return whether the apiserver is ready and serves with the certificate that is on the disk."""
    certificate = node.layout.kubernetes / "pki" / "apiserver.crt"
    context = ssl.create_default_context(cafile=node.layout.ca_files[0])
    host, port = str(node.conf.node.address), configurations.API_PORT
    connection = http.client.HTTPSConnection(host, port, context=context, timeout=REQUEST_SECONDS)
    try:
        connection.connect()
        served = connection.sock.getpeercert(binary_form=True)
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return ready and served == ssl.PEM_cert_to_DER_cert(certificate.read_text())


def write_patched_configuration(node: nodes.Node) -> str:
    """Write kubeadm's patches of the static pods, and a configuration that names them; return its path.

    kubeadm takes ``--patches`` only without ``--config``.
    """
    directory = node.layout.patches
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
