# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-manage``: maintenance by the operator.

``db upgrade [expand|contract]``, ``db version``, ``keys reencrypt``, ``certificates renew CLUSTER``.
"""

# Before anything imports oslo.messaging.
from hypernetes import threads

threads.use()

import argparse  # noqa: E402
import sys  # noqa: E402

from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402

from hypernetes.conductor.clusters import certificates  # noqa: E402
from hypernetes.conductor.clusters import keys  # noqa: E402
from hypernetes.conf import opts  # noqa: E402
from hypernetes.db import api as db_api  # noqa: E402
from hypernetes.db import migration  # noqa: E402
from hypernetes.model import errors  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    :returns: the exit status: 1 if ``db version`` finds migrations that have not run, or ``keys reencrypt`` a key that
        it cannot encrypt again.
    """
    conf = cfg.ConfigOpts()
    conf.register_cli_opt(cfg.SubCommandOpt("command", title="Commands", handler=_add_commands))
    log.register_options(conf)
    opts.register(conf, "conductor", "kubernetes")
    conf(arguments, project="hypernetes", prog="hypernetes-manage")
    log.setup(conf, "hypernetes")
    if conf.command.action == "reencrypt":
        return _reencrypt(conf)
    if conf.command.action == "renew":
        return _renew(conf, conf.command.cluster)
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


def _renew(conf: cfg.ConfigOpts, cluster_id: str) -> int:
    """Order the renewal of a cluster's certificates; return the exit status."""
    database = db_api.Database(conf)
    try:
        ring = keys.KeyRing.load(conf.conductor.key_file)
        node = certificates.order_renewal(conf, database, ring, database.clusters.get(cluster_id))
    except keys.KeyFileUnusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except errors.HypernetesError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(
        f"Node {node.name} renews the certificates after its next heartbeat. When it is done, "
        "`openstack kube cluster show` has a later certificates_expire_at; until then the apiserver restarts once.\n"
    )
    return 0


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
    ends = parsers.add_parser("certificates", help="the certificates of a cluster's control plane")
    renewal = ends.add_subparsers(dest="action", required=True).add_parser(
        "renew", help="renew them now instead of when a third of their life is left, on a conductor's host"
    )
    renewal.add_argument("cluster", help="the cluster's ID")


if __name__ == "__main__":
    sys.exit(main())
