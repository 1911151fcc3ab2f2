# SPDX-License-Identifier: Apache-2.0
"""Bring the tables to the release's form, and tell which form they have."""

import enum
from pathlib import Path

from alembic import command
from alembic import config as alembic_config
from alembic.runtime import migration as alembic_migration
from alembic.script import ScriptDirectory

from hypernetes.db import transactions

_HERE = Path(__file__).parent / "migrations"


class Branch(enum.StrEnum):
    """Which scripts to run; see :mod:`hypernetes.db.migrations`."""

    EXPAND = "expand"
    """Additions: safe while the old release still serves."""

    CONTRACT = "contract"
    """Removals: only when no process of the old release is left."""


def configuration() -> alembic_config.Config:
    """Alembic's configuration; there is no alembic.ini, since the connection is the service's own."""
    config = alembic_config.Config()
    config.set_main_option("script_location", str(_HERE))
    folders = sorted(str(path) for path in (_HERE / "versions").iterdir() if path.name in tuple(Branch))
    # A line break separates folders: their path may hold any other sign.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(folders))
    return config


def upgrade(database: transactions.Transactions, branch: Branch | None = None) -> None:
    """Run the scripts of a branch (None: of all) that have not run yet."""
    config = configuration()
    script = ScriptDirectory.from_config(config)
    labels = {label for revision in script.walk_revisions() for label in revision.branch_labels}
    if branch is not None and branch not in labels:
        return
    with database.engine().connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads" if branch is None else f"{branch}@head")
        connection.commit()


def version(database: transactions.Transactions) -> tuple[str, ...]:
    """The revisions the database is at, one for each branch; empty before the first upgrade."""
    with database.engine().connect() as connection:
        return tuple(sorted(alembic_migration.MigrationContext.configure(connection).get_current_heads()))


def wanted() -> tuple[str, ...]:
    """The revisions this release needs, one for each branch."""
    return tuple(sorted(ScriptDirectory.from_config(configuration()).get_heads()))
