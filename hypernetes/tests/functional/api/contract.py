# SPDX-License-Identifier: Apache-2.0
"""What the YAML files find when they begin: a cluster, and a namespace of another project, on a real MariaDB.

No Keystone: the name of a persona stands in ``X-Auth-Token``.
"""

import os
from typing import Any

from gabbi import fixture

from hypernetes.tests.functional.db import mariadb
from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders

_running: list[application.Application] = []


def wsgi() -> Any:
    """A WSGI application that is the one of the file that runs; gabbi asks for it before any file does."""
    return lambda environ, start_response: _running[-1].wsgi(environ, start_response)


class ContractFixture(fixture.GabbiFixture):
    """For each file a fresh database and application; ids of what is there are in the environment."""

    def start_fixture(self) -> None:
        """Begin."""
        self._mariadb = mariadb.MariaDB()
        self._mariadb.setUp()
        self._application = application.Application(self._mariadb.connection)
        self._application.setUp()
        _running.append(self._application)
        database = self._application.database
        cluster = builders.cluster(database)
        os.environ["CLUSTER_ID"] = cluster.id
        os.environ["BLUE_NAMESPACE_ID"] = builders.namespace(database, cluster.id, "blue", builders.BLUE).id
        os.environ["FREE_NODE_ID"] = builders.node(database, "free").id

    def stop_fixture(self) -> None:
        """End."""
        _running.pop()
        self._application.cleanUp()
        self._mariadb.cleanUp()
