# SPDX-License-Identifier: Apache-2.0
"""Give projects.generation a default, since this release does not write it: a project is observed, never asked for."""

import sqlalchemy as sa
from alembic import op

revision = "e0003"
down_revision = "e0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In a batch, since SQLite cannot alter columns.
    with op.batch_alter_table("projects") as batch:
        batch.alter_column("generation", existing_type=sa.Integer(), existing_nullable=False, server_default="1")
