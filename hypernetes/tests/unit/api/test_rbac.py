# SPDX-License-Identifier: Apache-2.0
"""Who gets which answer to which request: the table in rbac.yaml."""

from pathlib import Path
from typing import Any

import testtools
import yaml

from hypernetes.api import routes
from hypernetes.model import states
from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders

# Scopes this service does not take; only for public requests does the table tell of them.
_REFUSED = {"system_admin": 403, "domain_admin": 403, "unscoped": 401, "anonymous": 401}

TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("rbac.yaml").read_text())


class RbacTest(testtools.TestCase):
    """Every line of the table, each persona on a fresh database."""

    def test_the_table_covers_every_route_that_policy_guards(self) -> None:
        told = {line["request"].split("?")[0].replace("{", "").replace("}", "") for line in TABLE}
        known = {f"{route.method} {route.path}" for route in routes.ROUTES if route.policy is not None}
        for request in known:
            method, path = request.split()
            kind = path.split("/")[2].rstrip("s")
            names = ("cluster", "failed") if kind == "cluster" else (kind,)
            path = path.replace("{node_id}", "worker")
            written = {f"{method} {path.replace('{id}', name)}" for name in names}
            self.assertTrue(written & told, request)

    def test_each_persona_gets_what_the_table_says(self) -> None:
        wrong = {}
        for persona in (*application.PERSONAS, "anonymous"):
            for line in TABLE:
                expected = line.get(persona, line["anybody"])
                if "anonymous" not in line:
                    expected = _REFUSED.get(persona, expected)
                got = self._status(persona, line)
                if got != expected:
                    wrong[f"{persona}: {line['request']}"] = f"{got} instead of {expected}"
        self.assertEqual({}, wrong)

    def _status(self, persona: str, line: dict[str, Any]) -> int:
        api = application.Application()
        with api:
            database = api.database
            cluster = builders.cluster(database)
            failed = builders.cluster(database, "failed", states.ClusterStatus.ERROR)
            builders.node(database, "free")
            worker = database.nodes.join(builders.node(database, "worker").id, cluster.id)
            ids = {
                "worker": worker.id,
                "cluster": cluster.id,
                "failed": failed.id,
                "node": builders.node(database).id,
                "namespace": builders.namespace(database, cluster.id).id,
            }
            method, path = line["request"].format(**ids).split()
            answer = api.request(method, path, persona, line.get("body"))
            return int(answer.status_int)
