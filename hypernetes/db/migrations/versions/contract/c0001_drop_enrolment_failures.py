# SPDX-License-Identifier: Apache-2.0
"""Drop enrolment_failures, which e0002 replaced. Its rows live for minutes and are not copied."""

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = ("contract",)
depends_on = "e0002"


def upgrade() -> None:
    op.drop_table("enrolment_failures")
