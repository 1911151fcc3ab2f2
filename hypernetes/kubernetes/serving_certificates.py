# SPDX-License-Identifier: Apache-2.0
"""Approves the certificates with which kubelets serve logs and exec, so that the apiserver can verify them.

Kubernetes approves none of these itself, since it cannot know which addresses are a node's. Hypernetes does: a request
is approved if it comes from the node it names and asks for the node's recorded name and address and nothing else.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID
from lightkube.resources import certificates_v1 as certificates
from oslo_log import log

from hypernetes.kubernetes import client as clients
from hypernetes.kubernetes.bootstrap import order_names

LOG = log.getLogger(__name__)

SIGNER = "kubernetes.io/kubelet-serving"
_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


@dataclass(frozen=True, slots=True)
class Approval:
    """What was decided in one pass."""

    approved: tuple[str, ...] = ()
    """Nodes that have an approved request, from now or from before."""
    refused: tuple[str, ...] = ()
    """A sentence for each request that is left pending."""


def approve(client: clients.ClusterClient, addresses: Mapping[str, str]) -> Approval:
    """Approve the pending requests of the cluster's nodes.

    :param addresses: name and recorded address of each node of the cluster.
    :raises errors.Unavailable: when the apiserver does not answer.
    """
    approved, refused = [], []
    for item in client.list(certificates.CertificateSigningRequest):
        if item.spec is None or item.spec.signerName != SIGNER or item.metadata is None:
            continue
        node = str(item.spec.username).removeprefix(order_names.NODE_USER_PREFIX)
        conditions = {c.type for c in (item.status.conditions if item.status else None) or []}
        if not conditions:
            reason = refusal(item, addresses)
            if reason is not None:
                refused.append(f"{item.metadata.name}: {reason}")
                continue
            approve_request(
                client, str(item.metadata.name), "The request is the node's, for its recorded name and address."
            )
            LOG.info("Approved the serving certificate of node %s (%s)", node, item.metadata.name)
        elif "Approved" not in conditions:
            continue
        approved.append(node)
    return Approval(tuple(approved), tuple(refused))


def refusal(item: certificates.CertificateSigningRequest, addresses: Mapping[str, str]) -> str | None:
    """Return why a request is not a node's for its own name and address, or None."""
    spec = item.spec
    if spec is None:
        return "it is empty"
    username = str(spec.username)
    node = username.removeprefix(order_names.NODE_USER_PREFIX)
    if (
        not username.startswith(order_names.NODE_USER_PREFIX)
        or order_names.NODE_GROUP not in (spec.groups or [])
        or node not in addresses
    ):
        return "its sender is not a node of this cluster"
    if not set(spec.usages or []) <= _USAGES or "server auth" not in (spec.usages or []):
        return "it is not for serving"
    try:
        request = x509.load_pem_x509_csr(base64.b64decode(str(spec.request), validate=True))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return "it cannot be read or names no address"
    if subject(request.subject) != (username, (order_names.NODE_GROUP,)):
        return "its subject is not its sender"
    dns_names = names.get_values_for_type(x509.DNSName)
    asked = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if len(dns_names) + len(asked) != len(list(names)) or set(dns_names) - {node} or set(asked) != {addresses[node]}:
        return "it asks for names or addresses other than the node's"
    return None


def subject(name: x509.Name) -> tuple[str, tuple[str, ...]]:
    """Return the user and the groups that a request's subject stands for; without a user unless it has just one."""
    names = [str(a.value) for a in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = tuple(str(a.value) for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return (names[0] if len(names) == 1 else "", groups)


def approve_request(client: clients.ClusterClient, name: str, message: str) -> None:
    """Approve a request, whatever it asks for; the caller has looked at it."""
    # A strategic merge on the subresource: the apiserver ignores everything but the conditions there.
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "HypernetesNode",
        "message": message,
    }
    client.request(
        "PATCH",
        f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}/approval",
        body={"status": {"conditions": [condition]}},
        content_type="application/strategic-merge-patch+json",
    )
