# SPDX-License-Identifier: Apache-2.0
"""The process numbers of our own programs, by what their command lines say."""

from pathlib import Path

from hypernetes.tests.isolation import base


def pids(program: str) -> list[int]:
    """Processes of ``conductor``, ``agent``, ``api``, ``webhook`` or ``containerd``; none if it is down."""
    found = []
    for entry in base.processes():
        line = base.command_line(entry)
        if _is(program, line):
            found.append(int(entry.name))
    return found


def _is(program: str, line: list[str]) -> bool:
    names = {Path(word).name for word in line[:3]}
    if program in ("conductor", "agent"):
        return f"hypernetes-{program}" in names
    if program == "containerd":
        return bool(line) and Path(line[0]).name == "containerd"
    return (
        bool(line)
        and "uwsgi" in Path(line[0]).name
        and any(f"hypernetes.wsgi.{program}" in w or f"hypernetes-{program}" in w for w in line)
    )
