# SPDX-License-Identifier: Apache-2.0
"""Upgrade the database schema to this release, and report its revision."""

import enum
from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic import config as alembic_config
from alembic.runtime import migration as alembic_migration
from alembic.script import Script
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
    """Return Alembic's configuration; there is no alembic.ini, since the connection is the service's own."""
    config = alembic_config.Config()
    config.set_main_option("script_location", str(_HERE))
    directories = sorted(str(path) for path in (_HERE / "versions").iterdir() if path.name in tuple(Branch))
    # A line break separates directories: a path may hold any other character.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(directories))
    return config


def upgrade(database: transactions.Transactions, branch: Branch | None = None) -> None:
    """Run the scripts of a branch that have not run yet; of all branches if None."""
    config = configuration()
    with database.connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads" if branch is None else f"{branch}@head")
        connection.commit()


def version(database: transactions.Transactions) -> tuple[str, ...]:
    """Return the newest revision of each branch that has run; nothing before the first upgrade."""
    applied = _applied(database)
    replaced = {revision for script in applied.values() for revision in _as_tuple(script.down_revision)}
    return tuple(sorted(applied.keys() - replaced))


def wanted() -> tuple[str, ...]:
    """Return the newest revision of each branch in this release."""
    return tuple(sorted(ScriptDirectory.from_config(configuration()).get_heads()))


def pending(database: transactions.Transactions, branch: Branch) -> tuple[str, ...]:
    """Return the revisions of a branch that have not run."""
    applied = _applied(database)
    scripts = ScriptDirectory.from_config(configuration()).walk_revisions()
    found = (each.revision for each in scripts if Path(each.path).parent.name == branch)
    return tuple(sorted(revision for revision in found if revision not in applied))


def _applied(database: transactions.Transactions) -> dict[str, Script]:
    """Return the scripts that have run.

    Alembic records the newest ones only, and not even those on which another one depends.
    """
    with database.connection() as connection:
        left = list(alembic_migration.MigrationContext.configure(connection).get_current_heads())
    scripts = ScriptDirectory.from_config(configuration())
    applied: dict[str, Script] = {}
    while left:
        script = scripts.get_revision(left.pop())
        applied[script.revision] = script
        left += [*_as_tuple(script.down_revision), *_as_tuple(script.dependencies)]
    return applied


def _as_tuple(revisions: str | Iterable[str] | None) -> tuple[str, ...]:
    if revisions is None:
        return ()
    return (revisions,) if isinstance(revisions, str) else tuple(revisions)
