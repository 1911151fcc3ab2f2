# SPDX-License-Identifier: Apache-2.0
"""Phase ``prepare-worker``: what a kubelet needs, and the key with which it will join."""

from collections.abc import Mapping

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from hypernetes.agent import bootstrap
from hypernetes.agent import files
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.host import cgroups
from hypernetes.agent.host import cni
from hypernetes.agent.host import node as nodes
from hypernetes.conf import timeouts
from hypernetes.kubernetes.bootstrap import order_names


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Prepare the node and wait until containerd answers; return the request for the kubelet's certificate."""
    configuration = bootstrap.required(inputs, order_names.KUBEADM_FILE)
    try:
        cgroups.create(cgroups.kubelet_root(configuration))
    except yaml.YAMLError as error:
        raise bootstrap.NodePhaseFailed(f"the input {order_names.KUBEADM_FILE} is not valid YAML: {error}") from error
    prepare.ensure_api_host(node, inputs)
    # Also for reset, which finds the control group's name there.
    files.write(node.layout.kubeadm_configuration, configuration)
    cni.install(node.layout, timeouts.cni_add(node.conf))
    prepare.start_templates(node)
    prepare.start_containerd(node)
    return {order_names.NODE_CSR: signing_request(ensure_key(node), str(node.conf.node.name))}


def ensure_key(node: nodes.Node) -> ec.EllipticCurvePrivateKey:
    """Return the kubelet's first key, which is made once and never sent."""
    path = node.layout.kubelet_key
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        files.write(path, pem)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise bootstrap.NodePhaseFailed(f"{path} is not an elliptic curve key")
    return key


def signing_request(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """Return a CSR (PEM) with the subject of a node's kubelet."""
    subject = x509.Name(
        [
            x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, order_names.NODE_GROUP),
            x509.NameAttribute(oid.NameOID.COMMON_NAME, f"{order_names.NODE_USER_PREFIX}{name}"),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()
