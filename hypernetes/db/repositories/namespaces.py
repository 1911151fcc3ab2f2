# SPDX-License-Identifier: Apache-2.0
"""Tenants' namespaces. What serves a tenant uses the methods that filter by project."""

from sqlalchemy.orm import Session

from hypernetes.db import models
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

    def _before_create(self, session: Session, record: records.Namespace) -> None:
        # The lock makes this and the deletion of the cluster wait for each other.
        cluster = session.get(models.Cluster, record.cluster_id, with_for_update={"read": True})
        if cluster is None:
            raise errors.NotFound(kind=kinds.Kind.CLUSTER, id=record.cluster_id)
        if cluster.status is not states.ClusterStatus.ACTIVE:
            reason = f"it is {cluster.status}; a cluster accepts namespaces only while it is ACTIVE"
            raise errors.Conflict(kind=kinds.Kind.CLUSTER, id=record.cluster_id, reason=reason)
