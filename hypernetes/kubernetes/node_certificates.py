# SPDX-License-Identifier: Apache-2.0
"""Has a cluster sign the certificate with which a worker's kubelet joins.

The request is the node's, and its subject is compared with the name of the node that sent it: a node gets no
certificate of another one.
"""

import base64
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lightkube.models import certificates_v1 as certificate_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import certificates_v1 as certificates

from hypernetes.kubernetes import client as clients
from hypernetes.kubernetes import serving_certificates
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.model import errors

SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"


def refusal(pem: str, node: str) -> str | None:
    """Return why a request is not one for the certificate of that node's kubelet, or None."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        proven = request.is_signature_valid
    except (ValueError, InvalidSignature):
        return "it is not a certificate signing request"
    if not proven:
        return "it is not signed with its own key"
    expected = (f"{order_names.NODE_USER_PREFIX}{node}", (order_names.NODE_GROUP,))
    if serving_certificates.subject(request.subject) != expected or len(list(request.extensions)):
        return "its subject is not the node"
    return None


def issue(client: clients.ClusterClient, node: str, pem: str) -> str | None:
    """Return the certificate (PEM) for a request, or None while the cluster has not signed it.

    :raises errors.Refused: when the request is not the node's, or the cluster does not sign it.
    """
    reason = refusal(pem, node)
    if reason is not None:
        raise errors.Refused(service="The conductor", reason=f"the request of node {node} is not accepted: {reason}")
    # Kubernetes removes signed requests after an hour, and pending ones after a day.
    name = f"hypernetes-{node}-{hashlib.sha256(pem.encode()).hexdigest()[:16]}"
    found = client.find(certificates.CertificateSigningRequest, name)
    if found is None:
        found = client.create(_request(name, pem))
    conditions = (found.status.conditions if found.status is not None else None) or []
    failed = [condition for condition in conditions if condition.type in ("Denied", "Failed")]
    if failed:
        raise errors.Refused(service="Kubernetes", reason=f"{name} is {failed[0].type}: {failed[0].message}")
    if not any(condition.type == "Approved" for condition in conditions):
        serving_certificates.approve_request(client, name, "The node's own agent has sent the request.")
    signed = found.status.certificate if found.status is not None else None
    return base64.b64decode(signed).decode() if signed else None


def _request(name: str, pem: str) -> certificates.CertificateSigningRequest:
    return certificates.CertificateSigningRequest(
        metadata=meta.ObjectMeta(name=name),
        spec=certificate_models.CertificateSigningRequestSpec(
            request=base64.b64encode(pem.encode()).decode(),
            signerName=SIGNER,
            usages=["digital signature", "client auth"],
        ),
    )
