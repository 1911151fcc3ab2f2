# SPDX-License-Identifier: Apache-2.0
"""Components, as rows of one table, and the graph of what they need."""

from __future__ import annotations

import graphlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass

from hypernetes.standalone.installation import Installation


def _nothing(_installation: Installation) -> None:
    """Do nothing: most components own only processes and files, which are stopped and removed for all together."""


def _ready(_installation: Installation) -> bool:
    """Return true: the start of such a component returns only when it is ready."""
    return True


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the environment.

    ``start`` may be called at any time, also on what runs already or was interrupted half-way, and then does
    only what is missing. ``ready`` has no effect and answers within seconds. ``stop`` undoes what outlives the
    death of all processes (bridges, namespaces, mounts); ``timeout`` is in seconds, from start to ready.
    An ``optional`` component belongs to an installation from the first ``up --with`` its name on.
    """

    name: str
    summary: str
    start: Callable[[Installation], None]
    needs: tuple[str, ...] = ()
    ready: Callable[[Installation], bool] = _ready
    stop: Callable[[Installation], None] = _nothing
    timeout: float = 120
    optional: bool = False


class TableInvalid(Exception):
    """The table of components contradicts itself, or a name is not in it."""


def by_name(components: Iterable[Component]) -> dict[str, Component]:
    """Index and check the table.

    :raises TableInvalid: when a name occurs twice, a need is unknown or the needs form a cycle.
    """
    table: dict[str, Component] = {}
    for component in components:
        if component.name in table:
            raise TableInvalid(f"component {component.name} is listed twice")
        table[component.name] = component
    for component in table.values():
        for need in component.needs:
            if need not in table:
                raise TableInvalid(f"component {component.name} needs {need}, which is not in the table")
    order(table)
    return table


def sorter(table: Mapping[str, Component], names: Iterable[str]) -> graphlib.TopologicalSorter[str]:
    """Return the dependency graph of these components, in the order of ``names`` where it leaves a choice."""
    return graphlib.TopologicalSorter({name: table[name].needs for name in names})


def order(table: Mapping[str, Component]) -> list[str]:
    """Return all names, each after everything it needs.

    :raises TableInvalid: when components need each other in a cycle; the text names them.
    """
    try:
        return list(sorter(table, table).static_order())
    except graphlib.CycleError as error:
        raise TableInvalid(f"components need each other in a cycle: {', '.join(error.args[1])}") from error


def closure(table: Mapping[str, Component], wanted: Iterable[str]) -> set[str]:
    """Return the wanted components and everything they need, directly or not.

    :raises TableInvalid: when a name is not in the table.
    """
    found: set[str] = set()
    stack = list(wanted)
    while stack:
        name = stack.pop()
        if name not in table:
            raise TableInvalid(f"unknown component {name}; choose from: {', '.join(table)}")
        if name not in found:
            found.add(name)
            stack += table[name].needs
    return found
