# SPDX-License-Identifier: Apache-2.0
"""Clusters and which nodes are theirs."""

from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states


class Clusters(base.Repository[models.Cluster, records.Cluster]):
    """Clusters; creating one claims its control nodes, deleting it sets its nodes free."""

    kind = "cluster"
    intent = frozenset({"status", "status_reason", "kubernetes_version"})
    deleting = states.ClusterStatus.DELETING
    row = models.Cluster
    record = records.Cluster

    @transactions.retried
    def by_name(self, name: str) -> records.Cluster:
        """The cluster of that name.

        :raises errors.NotFound: there is none.
        """
        with self._database.reader() as session:
            row = session.scalar(select(models.Cluster).where(models.Cluster.name == name))
            if row is None:
                raise errors.NotFound(kind=self.kind, id=name)
            return self._record(row)

    @transactions.retried
    def mark_deleting(self, identifier: str) -> records.Cluster:
        """Ask for the cluster to go away; asking again changes nothing.

        :raises errors.NotFound: there is none.
        :raises errors.Conflict: namespaces are in it.
        """
        with self._database.writer() as session:
            row = self._row(session, identifier, lock=True)
            if row.status is not states.ClusterStatus.DELETING:
                occupied = select(models.Namespace.id).where(models.Namespace.cluster_id == identifier).limit(1)
                if session.scalar(occupied) is not None:
                    raise errors.Conflict(kind=self.kind, id=identifier, reason="it still has namespaces")
                row.status = states.ClusterStatus.DELETING
                row.status_reason = None
                row.generation += 1
                session.flush()
                session.refresh(row)
            return self._record(row)

    @transactions.retried
    def retry(self, identifier: str) -> records.Cluster:
        """Ask for a failed bootstrap to go on at the phase that failed.

        :raises errors.NotFound: there is none.
        :raises errors.Conflict: it has not failed.
        """
        with self._database.writer() as session:
            row = self._row(session, identifier, lock=True)
            if row.status is not states.ClusterStatus.ERROR:
                reason = f"only a cluster in ERROR can be retried, this one is {row.status}"
                raise errors.Conflict(kind=self.kind, id=identifier, reason=reason)
            row.status = states.ClusterStatus.CREATING
            row.status_reason = None
            row.generation += 1
            session.flush()
            session.refresh(row)
            return self._record(row)

    def _before_create(self, session: Session, record: records.Cluster) -> None:
        nodes = session.scalars(
            select(models.Node).where(models.Node.id.in_(record.control_node_ids)).with_for_update()
        ).all()
        found = {node.id: node for node in nodes}
        for node_id in record.control_node_ids:
            node = found.get(node_id)
            if node is None:
                raise errors.NotFound(kind="node", id=node_id)
            if node.cluster_id is not None:
                raise errors.Conflict(kind="node", id=node_id, reason="it belongs to a cluster already")
            if node.status is states.NodeStatus.DELETING:
                raise errors.Conflict(kind="node", id=node_id, reason="it is being deleted")

    def _after_create(self, session: Session, record: records.Cluster) -> None:
        for position, node_id in enumerate(record.control_node_ids):
            session.add(models.ControlNode(node_id=node_id, cluster_id=record.id, position=position))
        session.execute(
            update(models.Node).where(models.Node.id.in_(record.control_node_ids)).values(cluster_id=record.id)
        )
        session.flush()

    def _before_delete(self, session: Session, identifier: str) -> None:
        session.execute(update(models.Node).where(models.Node.cluster_id == identifier).values(cluster_id=None))
