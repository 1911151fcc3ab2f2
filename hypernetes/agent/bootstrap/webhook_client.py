# SPDX-License-Identifier: Apache-2.0
"""The certificate with which kube-apiserver is a client of the TokenReview webhook.

The operator puts it on the control node, as any certificate of a service. It is copied to the directory that the
apiserver mounts, whose kubeconfig names the copies: client-go reads changed files again by itself.
"""

import datetime
from pathlib import Path

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import files
from hypernetes.agent.host import node as nodes
from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.model import labels

CHANGED_AT = f"{labels.PREFIX}webhook-client-changed-at"


def install(node: nodes.Node) -> None:
    """Copy certificate and key, and have the webhook's kubeconfig name them, if the operator configured any.

    :raises NodePhaseFailed: when a configured file cannot be read.
    """
    conf = node.conf.node
    if not (conf.webhook_client_cert_file and conf.webhook_client_key_file):
        return
    sources = (conf.webhook_client_key_file, conf.webhook_client_cert_file)
    for source, path in zip(sources, (apiserver_files.CLIENT_KEY, apiserver_files.CLIENT_CERTIFICATE), strict=True):
        try:
            content = Path(source).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise bootstrap.NodePhaseFailed(f"the webhook's client certificate: {error}") from error
        files.write(node.layout.cluster_files / Path(path).name, content)
    kubeconfig = node.layout.cluster_files / Path(apiserver_files.WEBHOOK).name
    files.write(kubeconfig, apiserver_files.with_client_certificate(kubeconfig.read_text()))


def refresh(node: nodes.Node) -> None:
    """Install the current certificate on a prepared node; an apiserver that does not use one yet is restarted."""
    kubeconfig = node.layout.cluster_files / Path(apiserver_files.WEBHOOK).name
    if not kubeconfig.exists():
        return
    before = kubeconfig.read_text()
    install(node)
    manifest = node.layout.kubernetes / "manifests/kube-apiserver.yaml"
    if kubeconfig.read_text() == before or not manifest.exists():
        return
    # It reads its kubeconfigs at the start only, and kubelet replaces a static pod whose manifest changes.
    pod = yaml.safe_load(manifest.read_text())
    pod["metadata"].setdefault("annotations", {})[CHANGED_AT] = datetime.datetime.now(datetime.UTC).isoformat()
    files.write(manifest, yaml.safe_dump(pod, sort_keys=False))
