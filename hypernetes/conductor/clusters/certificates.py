# SPDX-License-Identifier: Apache-2.0
"""A cluster's certificates while it is ACTIVE: approves those of kubelets, and renews all others in time."""

import datetime

from cryptography import x509
from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.clusters import bootstrap
from hypernetes.conductor.clusters import phases as cluster_phases
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)


def approve_serving(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Approve the serving certificates that the cluster's nodes ask for."""
    cluster_phases.approve_serving(dependencies, cluster)
    return cluster


def renew(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Have the control node renew the certificates when a third of their life is left.

    The conductor's own certificate decides: it is signed together with the control plane's, for the same time.
    """
    if not is_due(cluster.client_certificate, datetime.datetime.now(datetime.UTC)):
        return cluster
    node = dependencies.db.nodes.get(cluster.control_node_ids[0])
    if node.status is not states.NodeStatus.UP or node.address is None:
        LOG.warning("Cluster %s: its certificates must be renewed, but node %s is not UP", cluster.id, node.name)
        return cluster
    key = dependencies.keys.decrypt(cluster.client_key_encrypted or "")
    inputs = bootstrap.inputs(dependencies.conf, phases.RENEW, cluster, node)
    inputs |= bootstrap.signing_inputs(dependencies.conf, key)
    LOG.info("Cluster %s: node %s is to renew its certificates", cluster.id, node.name)
    cluster_phases.send_order(dependencies, node, cluster, phases.RENEW, inputs)
    return cluster


def is_due(certificate_pem: str | None, now: datetime.datetime) -> bool:
    """Return whether a third of a certificate's life is left, or less."""
    if certificate_pem is None:
        return False
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - now < life / 3
