# SPDX-License-Identifier: Apache-2.0
"""A message bus in memory: the users of nodes, and the orders that agents were sent."""

from hypernetes.rpc import messages


class FakeBroker:
    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.conductors = 2

    def ensure_node(self, node: str, password: str) -> None:
        self.nodes[node] = password

    def ensure_topology(self, node: str) -> None:
        pass

    def has_node(self, node: str) -> bool:
        return node in self.nodes

    def count_conductors(self) -> int:
        return self.conductors

    def remove_node(self, node: str) -> None:
        self.nodes.pop(node, None)


class FakeAgents:
    def __init__(self) -> None:
        self.orders: list[tuple[str, messages.PhaseOrder]] = []

    def run_phase(self, node_name: str, order: messages.PhaseOrder) -> None:
        self.orders.append((node_name, order))
