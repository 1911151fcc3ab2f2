# SPDX-License-Identifier: Apache-2.0
"""Add to clusters the name of their apiserver and whether they are lost, and to nodes their way into a cluster."""

import sqlalchemy as sa
from alembic import op

revision = "e0007"
down_revision = "e0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clusters", sa.Column("endpoint", sa.String(255), nullable=True))
    op.add_column("clusters", sa.Column("lost", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("nodes", sa.Column("membership", sa.String(16), nullable=True))
    op.add_column("nodes", sa.Column("membership_reason", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("signing_request", sa.Text(), nullable=True))
