# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-manage``: maintenance by the operator. ``db upgrade [expand|contract]``, ``db version``."""

import argparse
import sys

from oslo_config import cfg
from oslo_log import log

from hypernetes.db import api as db_api
from hypernetes.db import migration


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status, 1 if ``db version`` finds migrations that have not run."""
    conf = cfg.ConfigOpts()
    conf.register_cli_opt(cfg.SubCommandOpt("command", title="Commands", handler=_add_commands))
    log.register_options(conf)
    conf(arguments, project="hypernetes", prog="hypernetes-manage")
    log.setup(conf, "hypernetes")
    database = db_api.Database(conf).transactions
    if conf.command.action == "upgrade":
        migration.upgrade(database, conf.command.branch)
        return 0
    have, want = migration.version(database), migration.wanted()
    sys.stdout.write(f"database: {' '.join(have) or 'none'}\nrelease:  {' '.join(want)}\n")
    return 0 if have == want else 1


def _add_commands(parsers: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    database = parsers.add_parser("db", help="the service's database").add_subparsers(dest="action", required=True)
    upgrade = database.add_parser("upgrade", help="upgrade the database schema to this release")
    upgrade.add_argument(
        "branch",
        nargs="?",
        type=migration.Branch,
        choices=list(migration.Branch),
        help="expand: additions, while the old release serves; contract: removals, when it has stopped; both if absent",
    )
    database.add_parser("version", help="show the current and the required schema revisions")


if __name__ == "__main__":
    sys.exit(main())
