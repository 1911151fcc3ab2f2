# SPDX-License-Identifier: Apache-2.0
"""Tenants' namespaces. What serves a tenant uses the methods that filter by project."""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping

from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import types
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states


class Namespaces(base.IntentRepository[models.Namespace, records.Namespace]):
    """Namespaces; a name is unique in its cluster, across all projects."""

    kind = kinds.Kind.NAMESPACE
    deleting = states.NamespaceStatus.DELETING
    row = models.Namespace
    record = records.Namespace

    def get_in_project(self, identifier: str, project_id: str) -> records.Namespace:
        """Return the project's namespace with that ID.

        :raises errors.NotFound: when there is none, or it is another project's (deliberately indistinguishable).
        """
        return self._require(identifier, id=identifier, project_id=project_id)

    def get_by_name(self, cluster_id: str, name: str) -> records.Namespace:
        """Return the namespace of that name in a cluster, of any project; not for requests of tenants.

        :raises errors.NotFound: when there is none.
        """
        return self._require(name, cluster_id=cluster_id, name=name)

    def describe(
        self,
        identifier: str,
        description: Callable[[str | None], str | None],
        labels: Callable[[Mapping[str, str]], Mapping[str, str]],
    ) -> records.Namespace:
        """Change a namespace's description and labels.

        :param description: gets the description, and returns it as it shall be; likewise ``labels``. What they raise
            ends the transaction without a change.
        :raises errors.NotFound: when there is no such namespace.
        :raises errors.Conflict: when it is being deleted.
        """

        def decide(_session: Session, namespace: records.Namespace) -> records.Namespace:
            if namespace.status is self.deleting:
                raise errors.Conflict(kind=self.kind, id=identifier, reason="it is being deleted")
            wanted = tuple(sorted(labels(dict(namespace.labels)).items()))
            return dataclasses.replace(
                namespace,
                description=description(namespace.description),
                labels=wanted,
                labels_pending=namespace.labels_pending or wanted != namespace.labels,
            )

        return self.change(identifier, decide)

    def _before_create(self, session: Session, record: records.Namespace, **limits: int) -> None:
        """Check that the cluster accepts namespaces, and that the project may have another one.

        The checks write, since a lock does not exclude writers on other nodes of a Galera cluster: of two transactions
        that write the same row only one is certified, and the other is repeated
        (https://galeracluster.com/library/documentation/certification-based-replication.html).

        :param limits: ``per_project``, the number of namespaces that a project may have, for which the project must be
            recorded; unlimited without it.
        :raises errors.LimitReached: when the project has that many.
        """
        limit = limits.get("per_project")
        # Both before the first read: a transaction reads what was committed then (REPEATABLE READ), so not less than
        # what the writers before it have written.
        if limit is not None and not _touch(session, models.Project, record.project_id):
            # Its record was written on another server of the database a moment ago.
            raise errors.Unavailable(service="The database", reason=f"project {record.project_id} is not recorded yet")
        if not _touch(session, models.Cluster, record.cluster_id):
            raise errors.NotFound(kind=kinds.Kind.CLUSTER, id=record.cluster_id)
        cluster = session.get_one(models.Cluster, record.cluster_id)
        if cluster.status is not states.ClusterStatus.ACTIVE:
            reason = f"it is {cluster.status}; a cluster accepts namespaces only while it is ACTIVE"
            raise errors.Conflict(kind=kinds.Kind.CLUSTER, id=record.cluster_id, reason=reason)
        owned = select(func.count()).where(models.Namespace.project_id == record.project_id)
        if limit is not None and (session.scalar(owned) or 0) >= limit:
            raise errors.LimitReached(what=f"project {record.project_id}", limit=limit, kind=kinds.Kind.NAMESPACE)


def _touch(session: Session, row: type[models.Cluster | models.Project], identifier: str) -> bool:
    """Write a row without a change, and lock it until the transaction ends; return whether it exists."""
    statement = update(row).where(row.id == identifier).values(updated_at=types.database_now())
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return bool(result.rowcount)  # type: ignore[attr-defined]
