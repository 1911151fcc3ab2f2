# SPDX-License-Identifier: Apache-2.0
"""The process numbers of our own programs, by what their command lines say."""

from pathlib import Path

from hypernetes.tests.isolation import base


def pids(program: str) -> list[int]:
    """Processes of ``conductor``, ``agent``, ``api``, ``webhook``, ``templates`` or ``containerd``; none if down."""
    found = []
    for entry in base.processes():
        line = base.command_line(entry)
        if _is(program, line):
            found.append(int(entry.name))
    return found


def _is(program: str, line: list[str]) -> bool:
    """Whether a command line is a program's; oslo.service and uWSGI rewrite theirs."""
    if not line:
        return False
    if program in ("containerd", "templates"):
        return Path(line[0]).name == {"templates": "hypernetes-templates"}.get(program, program)
    if program in ("api", "webhook"):
        return line[0].startswith(f"hypernetes-{program} uWSGI")
    name = f"hypernetes-{program}"
    return line[0].startswith(f"{name}: ") or name in {Path(word).name for word in line[1:2]}
