# SPDX-License-Identifier: Apache-2.0
"""What exists once for each Keystone project that uses the service."""

from oslo_db import exception as db_exception

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db.repositories import base
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records


class Projects(base.Repository[models.Project, records.Project]):
    """Projects by their Keystone ID. Clients do not ask for them, so there are observations only."""

    kind = kinds.Kind.PROJECT
    row = models.Project
    record = records.Project

    @transactions.transaction
    def ensure(self, project_id: ids.ProjectId) -> records.Project:
        """Return the project's record, and create it if there is none."""
        try:
            with self._database.writer() as session:
                row = session.get(models.Project, project_id)
                if row is None:
                    row = models.Project(id=project_id, member_granted=False)
                    session.add(row)
                    session.flush()
                return self._record(row)
        except db_exception.DBDuplicateEntry:
            return self.get(project_id)
