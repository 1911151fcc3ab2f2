# SPDX-License-Identifier: Apache-2.0
"""A cluster's certificates while it is ACTIVE: approves those of kubelets, and renews all others in time."""

import datetime

from cryptography import x509
from oslo_config import cfg
from oslo_log import log

from hypernetes.conductor import apiservers
from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import bootstrap
from hypernetes.db import api as db_api
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)


def approve_serving(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Approve the serving certificates that the cluster's nodes ask for."""
    apiservers.approve_serving(dependencies, cluster)
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
    LOG.info("Cluster %s: node %s is to renew its certificates", cluster.id, node.name)
    inputs = _inputs(dependencies.conf, dependencies.keys, cluster, node)
    orders.send(dependencies, node, cluster, phases.RENEW, inputs)
    return cluster


def order_renewal(
    conf: cfg.ConfigOpts, database: db_api.Database, keys: context.KeyRing, cluster: records.Cluster
) -> records.Node:
    """Order the renewal now, as an operator asks for it, and return the control node that is to carry it out.

    :raises errors.Conflict: the cluster is not ACTIVE, or its control node is not UP or has another order.
    """
    if cluster.status is not states.ClusterStatus.ACTIVE:
        raise errors.Conflict(kind=kinds.Kind.CLUSTER, id=cluster.id, reason=f"it is {cluster.status}, not ACTIVE")
    node = database.nodes.get(cluster.control_node_ids[0])
    if node.status is not states.NodeStatus.UP:
        raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason=f"it is {node.status}, not UP")
    order = orders.decode(node.order)
    if order is not None and order.phase != phases.RENEW.name:
        # No lease is held here: what a conductor has ordered must not be replaced.
        raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason=f"it works on phase {order.phase}; try later")
    orders.write(database, node, cluster, phases.RENEW, _inputs(conf, keys, cluster, node))
    return node


def _inputs(
    conf: cfg.ConfigOpts, keys: context.KeyRing, cluster: records.Cluster, node: records.Node
) -> dict[str, str]:
    key = keys.decrypt(cluster.client_key_encrypted or "")
    return bootstrap.inputs(conf, phases.RENEW, cluster, node) | bootstrap.signing_inputs(conf, key)


def is_due(certificate_pem: str | None, now: datetime.datetime) -> bool:
    """Return whether a third of a certificate's life is left, or less."""
    if certificate_pem is None:
        return False
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - now < life / 3
