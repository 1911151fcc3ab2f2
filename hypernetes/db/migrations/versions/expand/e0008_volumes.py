# SPDX-License-Identifier: Apache-2.0
"""Add volumes: the Cinder volumes of persistent volume claims."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "e0008"
down_revision = "e0007"
branch_labels = None
depends_on = None

# Types are spelled out here: a migration must not change when the models do.
UUID = sa.String(length=36)
TIMESTAMP = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "volumes",
        sa.Column("id", UUID, nullable=False),
        sa.Column("cluster_id", UUID, nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("claim", sa.String(length=253), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("volume_id", UUID, nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_volumes_cluster_id_clusters"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volumes")),
        sa.UniqueConstraint("cluster_id", "name", name=op.f("uq_volumes_cluster_id_name")),
        sa.UniqueConstraint("volume_id", name=op.f("uq_volumes_volume_id")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_volumes_project_id"), "volumes", ["project_id"])
