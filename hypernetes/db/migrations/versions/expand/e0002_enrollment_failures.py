# SPDX-License-Identifier: Apache-2.0
"""Add enrollment_failures: the table enrolment_failures under the name that the REST API uses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None

# Types are spelled out here: a migration must not change when the models do.
TIMESTAMP = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "enrollment_failures",
        sa.Column("node_id", sa.String(length=36), nullable=False),
        sa.Column("window_ends_at", TIMESTAMP, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_enrollment_failures_node_id_nodes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_enrollment_failures")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
