# SPDX-License-Identifier: Apache-2.0
"""Builds the requested components and their dependencies, several at a time."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import graphlib
import pathlib
import shutil
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from distribution.builder.cache import Cache
from distribution.builder.children import Children
from distribution.builder.component import BuildError
from distribution.builder.component import Component
from distribution.builder.component import content_key
from distribution.builder.context import Context
from distribution.builder.toolchain import Go
from distribution.builder.tree import Tree


def build_order(components: Sequence[Component], wanted: Sequence[str]) -> list[Component]:
    """Return the wanted components and all their dependencies, each after its own.

    :raises BuildError: when a name is unknown or components need each other in a cycle.
    """
    by_name = {component.name: component for component in components}
    needed: dict[str, Component] = {}
    names = list(wanted)
    while names:
        name = names.pop()
        if name not in by_name:
            raise BuildError(f"unknown component {name}; choose from: {', '.join(sorted(by_name))}")
        if name not in needed:
            needed[name] = by_name[name]
            names += by_name[name].needs
    # In the given order where the needs leave a choice: it has the longest builds first.
    try:
        return [by_name[name] for name in graph(c for c in components if c.name in needed).static_order()]
    except graphlib.CycleError as error:
        raise BuildError("components need each other: " + " → ".join(reversed(error.args[1]))) from error


def graph(components: Iterable[Component]) -> graphlib.TopologicalSorter[str]:
    """Return the dependency graph of components."""
    return graphlib.TopologicalSorter({component.name: component.needs for component in components})


@dataclasses.dataclass(frozen=True)
class Engine:
    """The parameters of a run of the builder."""

    root: pathlib.Path
    cache: Cache
    tree: Tree
    versions: Mapping[str, Mapping[str, Any]]
    go: Callable[[], Go]
    """Finds the toolchain; called once, and only if a component needs Go."""
    report: Callable[[str], None]
    """Takes one line of progress."""
    jobs: int = 2

    def run(self, components: Sequence[Component]) -> None:
        """Build components given in order; the first failure stops new starts and is raised.

        What is running then is let to its end, for its result is kept.
        """
        run = _Run(self)
        # Made beforehand, so that parallel builds do not install the toolchain twice.
        run.toolchain = self.go() if any(component.go for component in components) else None
        for component in components:
            run.keys[component.name] = content_key(
                component,
                self.root,
                self.versions,
                run.keys,
                run.toolchain.version if run.toolchain else "",
            )
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            try:
                self._build_all(components, run, pool)
            except BuildError:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            except BaseException:
                run.children.end()
                raise

    def _build_all(
        self, components: Sequence[Component], run: _Run, pool: concurrent.futures.ThreadPoolExecutor
    ) -> None:
        by_name = {component.name: component for component in components}
        priority = {name: number for number, name in enumerate(by_name)}
        dependencies = graph(components)
        dependencies.prepare()
        waiting: list[str] = []
        running: dict[concurrent.futures.Future[None], str] = {}
        while dependencies.is_active():
            waiting = sorted([*waiting, *dependencies.get_ready()], key=priority.__getitem__)
            while waiting and len(running) < self.jobs:
                name = waiting.pop(0)
                running[pool.submit(run.build, by_name[name])] = name
            finished, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                future.result()
                dependencies.done(running.pop(future))


class _Run:
    """One run's state."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.keys: dict[str, str] = {}
        self.results: dict[str, pathlib.Path] = {}
        self.toolchain: Go | None = None
        self.publishing = threading.Lock()
        self.children = Children()

    def build(self, component: Component) -> None:
        """Bring one component into the cache and the tree, and report it.

        :raises BuildError: when that fails.
        """
        try:
            self._bring(component)
        except (BuildError, OSError) as error:
            # Reported at once: the error itself is raised when parallel builds have finished.
            self.engine.report(f"{component.name:<20} failed")
            raise BuildError(f"{component.name}: {error}") from error

    def _bring(self, component: Component) -> None:
        started = time.monotonic()
        key = self.keys[component.name]
        with self.engine.cache.locked(component.name):
            result = self.engine.cache.find(component.name, key)
            what = "unchanged"
            if result is None:
                what = "built"
                result = self._build(component, key)
            self.engine.cache.touch(result)
        self.results[component.name] = result
        if component.published:
            with self.publishing:
                if not self.engine.tree.holds(component.name, key):
                    self.engine.tree.publish(component.name, key, result)
        self.engine.report(f"{component.name:<20} {what:<10} {time.monotonic() - started:7.1f} s")

    def _build(self, component: Component, key: str) -> pathlib.Path:
        engine = self.engine
        work = engine.cache.directory / "work" / component.name
        log = engine.cache.directory / "logs" / f"{component.name}.log"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        context = Context(
            root=engine.root,
            cache=engine.cache.directory,
            work=work,
            versions=engine.versions,
            results={name: self.results[name] for name in component.needs},
            log=log,
            go=self.toolchain if component.go else None,
            children=self.children,
        )
        try:
            with engine.cache.building(component.name, key) as output:
                component.build(output, context)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        entry = engine.cache.find(component.name, key)
        assert entry is not None
        return entry
