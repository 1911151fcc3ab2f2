# SPDX-License-Identifier: Apache-2.0
"""Clusters, and which nodes belong to them."""

import dataclasses

from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db.repositories import base
from hypernetes.db.repositories import nodes
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states


class Clusters(base.NamedRepository[models.Cluster, records.Cluster]):
    """Clusters; creating one claims its control nodes, deleting it releases all its nodes."""

    kind = kinds.Kind.CLUSTER
    deleting = states.ClusterStatus.DELETING
    row = models.Cluster
    record = records.Cluster

    def retry(self, identifier: str) -> records.Cluster:
        """Request that a failed bootstrap resume at the phase that failed.

        :raises errors.NotFound: when there is no such cluster.
        :raises errors.Conflict: when its bootstrap has not failed.
        """

        def decide(_session: Session, cluster: records.Cluster) -> records.Cluster:
            if cluster.status is not states.ClusterStatus.ERROR:
                reason = f"only a cluster in ERROR can be retried, this one is {cluster.status}"
                raise errors.Conflict(kind=self.kind, id=identifier, reason=reason)
            return dataclasses.replace(cluster, status=states.ClusterStatus.CREATING, status_reason=None)

        return self.change(identifier, decide)

    def mark_lost(self, identifier: str) -> records.Cluster:
        """Request the deletion of a cluster whose control node does not come back, and of all its namespaces.

        :raises errors.NotFound: when there is no such cluster.
        :raises errors.Conflict: when its control node is UP.
        """

        def decide(session: Session, cluster: records.Cluster) -> records.Cluster:
            control = select(models.Node).where(models.Node.id.in_(cluster.control_node_ids)).with_for_update()
            alive = [node.name for node in session.scalars(control) if node.status is states.NodeStatus.UP]
            if alive:
                reason = f"its control node {alive[0]} is UP; delete it without force"
                raise errors.Conflict(kind=self.kind, id=identifier, reason=reason)
            session.execute(
                update(models.Namespace)
                .where(
                    models.Namespace.cluster_id == identifier,
                    models.Namespace.status != states.NamespaceStatus.DELETING,
                )
                .values(
                    status=states.NamespaceStatus.DELETING,
                    status_reason=None,
                    generation=models.Namespace.generation + 1,
                ),
                execution_options={"synchronize_session": False},
            )
            return dataclasses.replace(cluster, status=self.deleting, status_reason=None, lost=True)

        return self.change(identifier, decide)

    @transactions.transaction
    def reencrypt(self, identifier: str, before: str, after: str) -> None:
        """Replace a cluster's encrypted client key, unless a conductor has replaced it meanwhile.

        :raises errors.NotFound: when there is no such cluster.
        :raises errors.StaleGeneration: when its key is another one now.
        """
        with self._database.writer() as session:
            values = {"client_key_encrypted": after}
            self._write(session, identifier, values, models.Cluster.client_key_encrypted == before)

    def _deleted(self, session: Session, record: records.Cluster) -> records.Cluster:
        occupied = select(models.Namespace.id).where(models.Namespace.cluster_id == record.id).limit(1)
        if session.scalar(occupied) is not None:
            raise errors.Conflict(kind=self.kind, id=record.id, reason="it still has namespaces")
        return super()._deleted(session, record)

    def _before_create(self, session: Session, record: records.Cluster, **_limits: int) -> None:
        rows = session.scalars(
            select(models.Node).where(models.Node.id.in_(record.control_node_ids)).with_for_update()
        ).all()
        found = {node.id: node for node in rows}
        for node_id in record.control_node_ids:
            node = found.get(node_id)
            if node is None:
                raise errors.NotFound(kind=kinds.Kind.NODE, id=node_id)
            if node.cluster_id is not None:
                raise errors.Conflict(kind=kinds.Kind.NODE, id=node_id, reason="it already belongs to a cluster")
            if node.status is states.NodeStatus.DELETING:
                raise errors.Conflict(kind=kinds.Kind.NODE, id=node_id, reason="it is being deleted")
            if node.order is not None:
                raise errors.Conflict(kind=kinds.Kind.NODE, id=node_id, reason=nodes.UNFINISHED)

    def _after_create(self, session: Session, record: records.Cluster) -> None:
        for position, node_id in enumerate(record.control_node_ids):
            session.add(models.ControlNode(node_id=node_id, cluster_id=record.id, position=position))
        session.execute(
            update(models.Node).where(models.Node.id.in_(record.control_node_ids)).values(cluster_id=record.id)
        )
        session.flush()

    def _before_delete(self, session: Session, identifier: str) -> None:
        # With the cluster its Kubernetes nodes are gone, and what was done to them.
        released = update(models.Node).where(models.Node.cluster_id == identifier)
        session.execute(released.values(**nodes.RELEASED))
