# SPDX-License-Identifier: Apache-2.0
"""Add to namespaces their description, their labels, and whether these have changed since they were applied."""

import sqlalchemy as sa
from alembic import op

revision = "e0006"
down_revision = "e0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("namespaces", sa.Column("description", sa.Text(), nullable=True))
    op.add_column("namespaces", sa.Column("labels", sa.Text(), nullable=True))
    op.add_column("namespaces", sa.Column("labels_pending", sa.Boolean(), nullable=False, server_default=sa.false()))
