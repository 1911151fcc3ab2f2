# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-manage``: maintenance by the operator.

``db upgrade [expand|contract]``, ``db version``, ``keys reencrypt``.
"""

import argparse
import sys

from oslo_config import cfg
from oslo_log import log

from hypernetes.conductor.clusters import keys
from hypernetes.conf import opts
from hypernetes.db import api as db_api
from hypernetes.db import migration
from hypernetes.model import errors


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    :returns: the exit status: 1 if ``db version`` finds migrations that have not run, or ``keys reencrypt`` a key that
        it cannot encrypt again.
    """
    conf = cfg.ConfigOpts()
    conf.register_cli_opt(cfg.SubCommandOpt("command", title="Commands", handler=_add_commands))
    log.register_options(conf)
    opts.register(conf, "conductor")
    conf(arguments, project="hypernetes", prog="hypernetes-manage")
    log.setup(conf, "hypernetes")
    if conf.command.action == "reencrypt":
        return _reencrypt(conf)
    database = db_api.Database(conf).transactions
    if conf.command.action == "upgrade":
        migration.upgrade(database, conf.command.branch)
        return 0
    have, want = migration.version(database), migration.wanted()
    sys.stdout.write(f"database: {' '.join(have) or 'none'}\nrelease:  {' '.join(want)}\n")
    return 0 if have == want else 1


def _reencrypt(conf: cfg.ConfigOpts) -> int:
    """Encrypt the clusters' client keys with the first key of the key file; return the exit status."""
    try:
        ring = keys.KeyRing.load(conf.conductor.key_file)
    except keys.KeyFileUnusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    clusters = db_api.Database(conf).clusters
    count, failed = 0, 0
    for cluster in clusters.list():
        if cluster.client_key_encrypted is None:
            continue
        try:
            before = cluster.client_key_encrypted
            clusters.reencrypt(cluster.id, before, ring.rotate(before))
            count += 1
        except (errors.NotFound, errors.StaleGeneration):
            # A conductor has deleted the cluster, or encrypted a new key with its own first key.
            continue
        except errors.Refused as error:
            sys.stderr.write(f"cluster {cluster.name}: {error.message}\n")
            failed += 1
    sys.stdout.write(f"encrypted again: {count}, failed: {failed}\n")
    return 1 if failed else 0


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
    ring = parsers.add_parser("keys", help="the keys that encrypt the clusters' client keys")
    ring.add_subparsers(dest="action", required=True).add_parser(
        "reencrypt", help="encrypt all client keys with the first key of [conductor] key_file, on a conductor's host"
    )


if __name__ == "__main__":
    sys.exit(main())
