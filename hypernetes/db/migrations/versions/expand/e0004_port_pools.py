# SPDX-License-Identifier: Apache-2.0
"""Add port_pools and ready_ports, and to ports whether the Neutron port names its pod."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "e0004"
down_revision = "e0003"
branch_labels = None
depends_on = None

# Types are spelled out here: a migration must not change when the models do.
UUID = sa.String(length=36)
TIMESTAMP = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _foreign_key(table: str, column: str, referred: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{referred}")
    return sa.ForeignKeyConstraint([column], [f"{referred}.id"], name=name, ondelete="RESTRICT")


def upgrade() -> None:
    op.add_column("ports", sa.Column("labeled", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "port_pools",
        sa.Column("id", UUID, nullable=False),
        sa.Column("namespace_id", UUID, nullable=False),
        sa.Column("node_id", UUID, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("used_at", TIMESTAMP, nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=True),
        _foreign_key("port_pools", "namespace_id", "namespaces"),
        _foreign_key("port_pools", "node_id", "nodes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port_pools")),
        sa.UniqueConstraint("namespace_id", "node_id", name=op.f("uq_port_pools_namespace_id_node_id")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_port_pools_node_id"), "port_pools", ["node_id"])
    op.create_table(
        "ready_ports",
        sa.Column("id", UUID, nullable=False),
        sa.Column("pool_id", UUID, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("neutron_port_id", UUID, nullable=True),
        sa.Column("mac_address", sa.String(length=17), nullable=True),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=True),
        _foreign_key("ready_ports", "pool_id", "port_pools"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ready_ports")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_ready_ports_pool_id"), "ready_ports", ["pool_id"])
