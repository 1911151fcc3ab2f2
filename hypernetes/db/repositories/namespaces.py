# SPDX-License-Identifier: Apache-2.0
"""Tenants' namespaces. Whoever serves a tenant uses the methods that filter by project."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states


class Namespaces(base.Repository[models.Namespace, records.Namespace]):
    """Namespaces; a name exists once in a cluster, whoever asks."""

    kind = "namespace"
    intent = frozenset({"status", "status_reason", "requested_network_id", "requested_cidr"})
    deleting = states.NamespaceStatus.DELETING
    row = models.Namespace
    record = records.Namespace

    @transactions.retried
    def get_in_project(self, identifier: str, project_id: str) -> records.Namespace:
        """The project's namespace with that id.

        :raises errors.NotFound: there is none, or it is another project's: the two are not told apart.
        """
        with self._database.reader() as session:
            row = session.scalar(
                select(models.Namespace).where(
                    models.Namespace.id == identifier, models.Namespace.project_id == project_id
                )
            )
            if row is None:
                raise errors.NotFound(kind=self.kind, id=identifier)
            return self._record(row)

    @transactions.retried
    def by_name(self, cluster_id: str, name: str) -> records.Namespace:
        """The namespace of that name in a cluster, whosever it is; never for a tenant's eyes.

        :raises errors.NotFound: there is none.
        """
        with self._database.reader() as session:
            row = session.scalar(
                select(models.Namespace).where(models.Namespace.cluster_id == cluster_id, models.Namespace.name == name)
            )
            if row is None:
                raise errors.NotFound(kind=self.kind, id=name)
            return self._record(row)

    @transactions.retried
    def mark_deleting(self, identifier: str) -> records.Namespace:
        """Ask for the namespace to go away; asking again changes nothing.

        :raises errors.NotFound: there is none.
        """
        with self._database.writer() as session:
            row = self._row(session, identifier, lock=True)
            if row.status is not states.NamespaceStatus.DELETING:
                row.status = states.NamespaceStatus.DELETING
                row.status_reason = None
                row.generation += 1
                session.flush()
                session.refresh(row)
            return self._record(row)

    def _before_create(self, session: Session, record: records.Namespace) -> None:
        # The lock makes this and the deletion of the cluster wait for each other.
        cluster = session.get(models.Cluster, record.cluster_id, with_for_update={"read": True})
        if cluster is None:
            raise errors.NotFound(kind="cluster", id=record.cluster_id)
        if cluster.status is not states.ClusterStatus.ACTIVE:
            reason = f"it is {cluster.status} and takes namespaces only when ACTIVE"
            raise errors.Conflict(kind="cluster", id=record.cluster_id, reason=reason)
