# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: runs on the connection that :mod:`hypernetes.db.migration` hands over."""

from alembic import context

from hypernetes.db import models

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=models.Base.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
