# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-status upgrade check``: reports whether configuration and database are ready for this release.

Run it after the packages were replaced and before the services are restarted.
"""

import sys

from oslo_config import cfg
from oslo_upgradecheck import common_checks
from oslo_upgradecheck import upgradecheck

from hypernetes.conductor.clusters import keys
from hypernetes.conf import opts
from hypernetes.db import api as db_api
from hypernetes.db import migration
from hypernetes.model import errors


class Checks(upgradecheck.UpgradeCommands):
    """The upgrade checks; each failure says what to do."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self._conf = conf
        self._upgrade_checks = (
            ("Database schema", Checks._check_schema),
            ("Keys of the clusters", Checks._check_keys),
            ("Policy file", (common_checks.check_policy_json, {"conf": conf})),
        )

    def _check_schema(self) -> upgradecheck.Result:
        """Check that the schema has what this release needs; what only the old release needed may still be there."""
        try:
            missing = self._pending()
        except errors.Unavailable as error:
            return _failure(f"{error.message} Correct [database] connection.")
        if not missing:
            return _success()
        return _failure("The database schema is out of date for this release; run: hypernetes-manage db upgrade expand")

    def _check_keys(self) -> upgradecheck.Result:
        """The key file decrypts every cluster's client key; without it conductors cannot speak to the clusters."""
        try:
            if self._pending():
                return _failure("The clusters cannot be read; see the check of the schema.")
            ring = keys.KeyRing.load(self._conf.conductor.key_file)
            stored = [cluster.client_key_encrypted for cluster in db_api.Database(self._conf).clusters.list()]
            for encrypted in filter(None, stored):
                ring.decrypt(encrypted)
        except keys.KeyFileUnusable as error:
            return _failure(f"On a conductor's host [conductor] key_file must be usable: {error}.")
        except errors.Refused as error:
            return _failure(f"{error.message} Restore the key with which the clusters were created.")
        except errors.Unavailable as error:
            return _failure(f"The clusters cannot be read. {error.message}")
        return _success()

    def _pending(self) -> tuple[str, ...]:
        return migration.pending(db_api.Database(self._conf).transactions, migration.Branch.EXPAND)


def _success() -> upgradecheck.Result:
    return upgradecheck.Result(upgradecheck.Code.SUCCESS)


def _failure(details: str) -> upgradecheck.Result:
    return upgradecheck.Result(upgradecheck.Code.FAILURE, details)


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; return the worst result: 0 success, 1 warning, 2 failure."""
    conf = cfg.ConfigOpts()
    opts.register(conf, "conductor")
    words = sys.argv[1:] if arguments is None else arguments
    return int(upgradecheck.main(conf, project="hypernetes", upgrade_command=Checks(conf), argv=words))


if __name__ == "__main__":
    sys.exit(main())
