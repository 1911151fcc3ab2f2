# SPDX-License-Identifier: Apache-2.0
"""Ports of pods: one per pod sandbox."""

import dataclasses

from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states


class Ports(base.IntentRepository[models.Port, records.Port]):
    """Ports; a sandbox's ID is unique, so that the same sandbox never gets two."""

    kind = kinds.Kind.PORT
    deleting = states.PortStatus.DELETING
    row = models.Port
    record = records.Port

    def find_by_sandbox(self, sandbox_id: str) -> records.Port | None:
        """Return the port of a sandbox, or None."""
        return self._find(sandbox_id=sandbox_id)

    def _deleted(self, _session: Session, record: records.Port) -> records.Port:
        return dataclasses.replace(record, status=self.deleting)

    def _duplicate(self, record: records.Port) -> errors.HypernetesError:
        return errors.Conflict(kind=self.kind, id=record.sandbox_id, reason="another request allocated it first")
