# SPDX-License-Identifier: Apache-2.0
"""Add to nodes whether and why the operator has disabled them, and whether Hypernetes has cordoned them."""

import sqlalchemy as sa
from alembic import op

revision = "e0005"
down_revision = "e0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("nodes", sa.Column("disabled_reason", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("cordoned", sa.Boolean(), nullable=False, server_default=sa.false()))
