# SPDX-License-Identifier: Apache-2.0
"""Drop projects.generation, which the former release wrote and nothing read."""

from alembic import op

revision = "c0002"
down_revision = "c0001"
branch_labels = None
depends_on = "e0003"


def upgrade() -> None:
    op.drop_column("projects", "generation")
