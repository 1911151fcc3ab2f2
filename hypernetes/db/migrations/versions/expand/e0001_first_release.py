# SPDX-License-Identifier: Apache-2.0
"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "e0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None

# Types are spelled out here: a migration must not change when the models do.
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
STATUS = sa.String(16)
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
TABLE_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "clusters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("kubernetes_version", sa.String(length=32), nullable=False),
        sa.Column("service_subnet", sa.String(length=64), nullable=False),
        sa.Column("phase", sa.String(length=64)),
        sa.Column("api_address", sa.String(length=255)),
        sa.Column("ca_certificate", sa.Text()),
        sa.Column("client_certificate", sa.Text()),
        sa.Column("client_key_encrypted", sa.Text()),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clusters")),
        sa.UniqueConstraint("name", name=op.f("uq_clusters_name")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "leases",
        sa.Column("object_key", sa.String(length=128), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("object_key", name=op.f("pk_leases")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("router_id", sa.String(length=36)),
        sa.Column("subnet_pool_id", sa.String(length=36)),
        sa.Column("member_granted", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "namespaces",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("cluster_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("requested_network_id", sa.String(length=36)),
        sa.Column("requested_cidr", sa.String(length=64)),
        sa.Column("network_id", sa.String(length=36)),
        sa.Column("subnet_id", sa.String(length=36)),
        sa.Column("subnet_cidr", sa.String(length=64)),
        sa.Column("router_id", sa.String(length=36)),
        sa.Column("security_group_id", sa.String(length=36)),
        sa.Column("kubernetes_uid", sa.String(length=36)),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_namespaces_cluster_id_clusters"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_namespaces")),
        sa.UniqueConstraint("cluster_id", "name", name=op.f("uq_namespaces_cluster_id_name")),
        **TABLE_OPTIONS,
    )
    op.create_index(op.f("ix_namespaces_project_id"), "namespaces", ["project_id"])
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("cluster_id", sa.String(length=36)),
        sa.Column("secret_hash", sa.String(length=64)),
        sa.Column("secret_expires_at", MOMENT),
        sa.Column("token_hash", sa.String(length=64)),
        sa.Column("address", sa.String(length=64)),
        sa.Column("agent_version", sa.String(length=64)),
        sa.Column("boot_id", sa.String(length=64)),
        sa.Column("last_seen_at", MOMENT),
        sa.Column("phase_order", LONG_TEXT),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_nodes_cluster_id_clusters"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("name", name=op.f("uq_nodes_name")),
        **TABLE_OPTIONS,
    )
    op.create_index(op.f("ix_nodes_cluster_id"), "nodes", ["cluster_id"])
    op.create_index(op.f("ix_nodes_status_last_seen_at"), "nodes", ["status", "last_seen_at"])
    op.create_table(
        "control_nodes",
        sa.Column("node_id", sa.String(length=36), nullable=False),
        sa.Column("cluster_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_control_nodes_cluster_id_clusters"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_control_nodes_node_id_nodes"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_control_nodes")),
        sa.UniqueConstraint("cluster_id", "position", name=op.f("uq_control_nodes_cluster_id_position")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "enrolment_failures",
        sa.Column("node_id", sa.String(length=36), nullable=False),
        sa.Column("window_ends_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_enrolment_failures_node_id_nodes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_enrolment_failures")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("namespace_id", sa.String(length=36), nullable=False),
        sa.Column("node_id", sa.String(length=36), nullable=False),
        sa.Column("sandbox_id", sa.String(length=64), nullable=False),
        sa.Column("pod_uid", sa.String(length=64), nullable=False),
        sa.Column("pod_name", sa.String(length=253), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("neutron_port_id", sa.String(length=36)),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_ports_namespace_id_namespaces"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_ports_node_id_nodes"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ports")),
        sa.UniqueConstraint("sandbox_id", name=op.f("uq_ports_sandbox_id")),
        **TABLE_OPTIONS,
    )
    op.create_index(op.f("ix_ports_namespace_id"), "ports", ["namespace_id"])
    op.create_index(op.f("ix_ports_neutron_port_id"), "ports", ["neutron_port_id"])
    op.create_index(op.f("ix_ports_node_id"), "ports", ["node_id"])
    op.create_index(op.f("ix_ports_pod_uid"), "ports", ["pod_uid"])
