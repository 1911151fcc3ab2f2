# SPDX-License-Identifier: Apache-2.0
"""Starts components side by side, each as soon as what it needs is ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from dataclasses import dataclass

from hypernetes.standalone import component
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

# Starts mostly wait for processes; more at the same time would only make each slower.
PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Result:
    """How the start of one component ended; ``error`` is None when it is ready."""

    name: str
    seconds: float
    error: str | None = None


class Progress:
    """Prints one line per component when its start has ended."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._begin = time.monotonic()

    def line(self, result: Result) -> None:
        """Print that a component is ready, or why it is not."""
        word = "ready" if result.error is None else "FAILED"
        with self._lock:
            elapsed = time.monotonic() - self._begin
            self._write(f"  {result.name:<20} {word:<7} {result.seconds:7.1f} s   (at {elapsed:6.1f} s)\n")
            if result.error:
                self._write(f"    {result.error}\n")


def bring_up(part: Component, installation: Installation) -> Result:
    """Start one component and wait until it is ready; return its failure instead of raising it."""
    begin = time.monotonic()
    error = None
    try:
        part.start(installation)
        machine.wait_until(lambda: part.ready(installation), f"{part.name} ready", timeout=part.timeout)
    except Exception as problem:
        text = str(problem) or type(problem).__name__
        error = text if isinstance(problem, machine.StandaloneError) else f"{type(problem).__name__}: {text}"
    return Result(part.name, time.monotonic() - begin, error)


def start_all(
    table: Mapping[str, Component], wanted: Iterable[str], installation: Installation, progress: Progress
) -> list[Result]:
    """Start the wanted components; after a failure, start no other and wait for those that are starting.

    An interruption (Ctrl-C) leaves everything as it is: the next ``up`` resumes there.

    :param wanted: components together with everything they need.
    """
    names = set(wanted)
    graph = component.sorter(table, (name for name in table if name in names))
    graph.prepare()
    results: list[Result] = []
    waiting: list[str] = []
    running: dict[Future[Result], str] = {}
    failed = False
    executor = ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="start")
    try:
        while running or (graph.is_active() and not failed):
            waiting += graph.get_ready()
            while waiting and len(running) < PARALLEL and not failed:
                name = waiting.pop(0)
                running[executor.submit(bring_up, table[name], installation)] = name
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                results.append(result)
                failed = failed or result.error is not None
                progress.line(result)
                graph.done(running.pop(future))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    return results
