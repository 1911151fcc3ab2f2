# SPDX-License-Identifier: Apache-2.0
"""The tables. Their columns are the fields of :mod:`hypernetes.model.records`, which documents them."""

import datetime
import enum
from typing import Any

from sqlalchemy import Boolean
from sqlalchemy import Enum
from sqlalchemy import ForeignKey
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from hypernetes.db import types
from hypernetes.model import states

# Exact comparison: MariaDB's default collation would take the project ids "a1" and "A1" for one tenant.
_TABLE_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

_STATUS_LENGTH = 16
_UUID = String(36)
_KEYSTONE_ID = String(64)
_NAME = String(63)
_SHA256_HEX = String(64)
# A phase's inputs are whole files; MariaDB's TEXT holds 64 KiB at most.
_LONG_TEXT = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class Base(DeclarativeBase):
    """Base of all tables: names of constraints that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Timestamped:
    """When a row was created and last changed, by the database's clock."""

    created_at: Mapped[datetime.datetime] = mapped_column(types.UtcDateTime, insert_default=types.database_now())
    updated_at: Mapped[datetime.datetime | None] = mapped_column(types.UtcDateTime, onupdate=types.database_now())


def _status(kind: type[enum.StrEnum]) -> Enum:
    # Text instead of a database enumeration: a new state must not need a migration.
    return Enum(kind, native_enum=False, length=_STATUS_LENGTH, values_callable=lambda e: [m.value for m in e])


class Cluster(Timestamped, Base):
    """See :class:`hypernetes.model.records.Cluster`."""

    __tablename__ = "clusters"
    __table_args__ = (UniqueConstraint("name"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    name: Mapped[str] = mapped_column(_NAME)
    status: Mapped[states.ClusterStatus] = mapped_column(_status(states.ClusterStatus))
    status_reason: Mapped[str | None] = mapped_column(Text)
    kubernetes_version: Mapped[str] = mapped_column(String(32))
    service_subnet: Mapped[str] = mapped_column(String(64))
    phase: Mapped[str | None] = mapped_column(String(64))
    api_address: Mapped[str | None] = mapped_column(String(255))
    ca_certificate: Mapped[str | None] = mapped_column(Text)
    client_certificate: Mapped[str | None] = mapped_column(Text)
    client_key_encrypted: Mapped[str | None] = mapped_column(Text)
    endpoint: Mapped[str | None] = mapped_column(String(255))
    lost: Mapped[bool] = mapped_column(Boolean, server_default="0")
    generation: Mapped[int] = mapped_column(Integer)

    control_nodes: Mapped[list["ControlNode"]] = relationship(
        order_by="ControlNode.position", lazy="selectin", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def control_node_ids(self) -> tuple[str, ...]:
        """IDs of the control nodes in their order."""
        return tuple(control.node_id for control in self.control_nodes)


class Node(Timestamped, Base):
    """See :class:`hypernetes.model.records.Node`."""

    __tablename__ = "nodes"
    __table_args__ = (UniqueConstraint("name"), Index(None, "status", "last_seen_at"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    name: Mapped[str] = mapped_column(_NAME)
    status: Mapped[states.NodeStatus] = mapped_column(_status(states.NodeStatus))
    status_reason: Mapped[str | None] = mapped_column(Text)
    cluster_id: Mapped[str | None] = mapped_column(ForeignKey("clusters.id", ondelete="SET NULL"), index=True)
    secret_hash: Mapped[str | None] = mapped_column(_SHA256_HEX)
    secret_expires_at: Mapped[datetime.datetime | None] = mapped_column(types.UtcDateTime)
    token_hash: Mapped[str | None] = mapped_column(_SHA256_HEX)
    address: Mapped[str | None] = mapped_column(String(64))
    agent_version: Mapped[str | None] = mapped_column(String(64))
    boot_id: Mapped[str | None] = mapped_column(String(64))
    last_seen_at: Mapped[datetime.datetime | None] = mapped_column(types.UtcDateTime)
    disabled: Mapped[bool] = mapped_column(Boolean, server_default="0")
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    cordoned: Mapped[bool] = mapped_column(Boolean, server_default="0")
    order: Mapped[str | None] = mapped_column("phase_order", _LONG_TEXT)
    membership: Mapped[states.Membership | None] = mapped_column(_status(states.Membership))
    membership_reason: Mapped[str | None] = mapped_column(Text)
    signing_request: Mapped[str | None] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(Integer)


class ControlNode(Base):
    """A node that runs a cluster's control plane; a node serves one cluster at most, and outlives it."""

    __tablename__ = "control_nodes"
    __table_args__ = (UniqueConstraint("cluster_id", "position"), _TABLE_OPTIONS)

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id", ondelete="RESTRICT"), primary_key=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)


class EnrollmentFailure(Base):
    """How many wrong secrets were presented for a node in the current window, at all API workers together."""

    __tablename__ = "enrollment_failures"
    __table_args__ = (_TABLE_OPTIONS,)

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"), primary_key=True)
    window_ends_at: Mapped[datetime.datetime] = mapped_column(types.UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer)


class Namespace(Timestamped, Base):
    """See :class:`hypernetes.model.records.Namespace`."""

    __tablename__ = "namespaces"
    # Unique across all tenants of a cluster: a second tenant can never take over the namespace of the first.
    __table_args__ = (UniqueConstraint("cluster_id", "name"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    project_id: Mapped[str] = mapped_column(_KEYSTONE_ID, index=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(_NAME)
    status: Mapped[states.NamespaceStatus] = mapped_column(_status(states.NamespaceStatus))
    status_reason: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[tuple[tuple[str, str], ...]] = mapped_column(types.Pairs, nullable=True)
    labels_pending: Mapped[bool] = mapped_column(Boolean, server_default="0")
    requested_network_id: Mapped[str | None] = mapped_column(_UUID)
    requested_cidr: Mapped[str | None] = mapped_column(String(64))
    network_id: Mapped[str | None] = mapped_column(_UUID)
    subnet_id: Mapped[str | None] = mapped_column(_UUID)
    subnet_cidr: Mapped[str | None] = mapped_column(String(64))
    router_id: Mapped[str | None] = mapped_column(_UUID)
    security_group_id: Mapped[str | None] = mapped_column(_UUID)
    kubernetes_uid: Mapped[str | None] = mapped_column(_UUID)
    generation: Mapped[int] = mapped_column(Integer)


class Port(Timestamped, Base):
    """See :class:`hypernetes.model.records.Port`."""

    __tablename__ = "ports"
    __table_args__ = (UniqueConstraint("sandbox_id"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    namespace_id: Mapped[str] = mapped_column(ForeignKey("namespaces.id", ondelete="RESTRICT"), index=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id", ondelete="RESTRICT"), index=True)
    sandbox_id: Mapped[str] = mapped_column(String(64))
    pod_uid: Mapped[str] = mapped_column(String(64), index=True)
    pod_name: Mapped[str] = mapped_column(String(253))
    status: Mapped[states.PortStatus] = mapped_column(_status(states.PortStatus))
    neutron_port_id: Mapped[str | None] = mapped_column(_UUID, index=True)
    labeled: Mapped[bool] = mapped_column(Boolean, server_default="1")
    generation: Mapped[int] = mapped_column(Integer)


class PortPool(Timestamped, Base):
    """See :class:`hypernetes.model.records.PortPool`."""

    __tablename__ = "port_pools"
    __table_args__ = (UniqueConstraint("namespace_id", "node_id"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    namespace_id: Mapped[str] = mapped_column(ForeignKey("namespaces.id", ondelete="RESTRICT"))
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id", ondelete="RESTRICT"), index=True)
    size: Mapped[int] = mapped_column(Integer)
    used_at: Mapped[datetime.datetime] = mapped_column(types.UtcDateTime, insert_default=types.database_now())


class ReadyPort(Timestamped, Base):
    """See :class:`hypernetes.model.records.ReadyPort`."""

    __tablename__ = "ready_ports"
    __table_args__ = (_TABLE_OPTIONS,)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    pool_id: Mapped[str] = mapped_column(ForeignKey("port_pools.id", ondelete="RESTRICT"), index=True)
    status: Mapped[states.PortStatus] = mapped_column(_status(states.PortStatus))
    neutron_port_id: Mapped[str | None] = mapped_column(_UUID)
    mac_address: Mapped[str | None] = mapped_column(String(17))
    addresses: Mapped[tuple[tuple[str, str], ...]] = mapped_column(types.Pairs)


class Volume(Timestamped, Base):
    """See :class:`hypernetes.model.records.Volume`."""

    __tablename__ = "volumes"
    __table_args__ = (UniqueConstraint("cluster_id", "name"), UniqueConstraint("volume_id"), _TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    # A cluster that is gone needs no record; the volumes stay with their projects.
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(_KEYSTONE_ID, index=True)
    name: Mapped[str] = mapped_column(_NAME)
    namespace: Mapped[str] = mapped_column(String(63))
    claim: Mapped[str] = mapped_column(String(253))
    size: Mapped[int] = mapped_column(Integer)
    volume_id: Mapped[str | None] = mapped_column(_UUID)


class Project(Timestamped, Base):
    """See :class:`hypernetes.model.records.Project`."""

    __tablename__ = "projects"
    __table_args__ = (_TABLE_OPTIONS,)

    id: Mapped[str] = mapped_column(_KEYSTONE_ID, primary_key=True)
    router_id: Mapped[str | None] = mapped_column(_UUID)
    subnet_pool_id: Mapped[str | None] = mapped_column(_UUID)
    member_granted: Mapped[bool] = mapped_column(Boolean)


class Lease(Base):
    """The right of one conductor to work on one object until a time."""

    __tablename__ = "leases"
    __table_args__ = (_TABLE_OPTIONS,)

    key: Mapped[str] = mapped_column("object_key", String(128), primary_key=True)
    """Kind and ID, for instance ``namespace:<ID>``."""
    owner: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime.datetime] = mapped_column(types.UtcDateTime)


def columns(model: type[Any]) -> frozenset[str]:
    """Return the names of a table's attributes, as records have them."""
    return frozenset(attribute.key for attribute in model.__mapper__.column_attrs)
