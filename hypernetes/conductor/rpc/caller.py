# SPDX-License-Identifier: Apache-2.0
"""From an agent's token to its node."""

import hmac

from hypernetes.db import api
from hypernetes.model import digests
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages


class Callers:
    """Verifies the tokens of agents."""

    def __init__(self, database: api.Database) -> None:
        self._nodes = database.nodes

    def verify(self, caller: messages.Caller) -> records.Node:
        """Return the node whose token the caller presents.

        :raises errors.Unauthenticated: unknown node, wrong token or revoked node; deliberately indistinguishable.
        """
        try:
            node = self._nodes.get(caller.node_id)
        except errors.NotFound:
            node = None
        presented = digests.secret_digest(caller.token)
        expected = node.token_hash if node is not None else None
        # Compared in any case, so that the time taken does not reveal whether the node exists.
        equal = hmac.compare_digest(presented, expected or "0" * len(presented))
        if node is None or expected is None or not equal or node.status is states.NodeStatus.DELETING:
            raise errors.Unauthenticated(what="agent's token")
        return node
