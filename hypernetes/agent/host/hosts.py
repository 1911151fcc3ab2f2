# SPDX-License-Identifier: Apache-2.0
"""The apiserver's name in the node's hosts file, where the operator's DNS does not have it."""

from pathlib import Path

from hypernetes.agent.host.layout import Layout

MARK = "# hypernetes-agent"


def ensure(layout: Layout, name: str, address: str) -> None:
    """Have the name stand for the address; what others have written there stays."""
    _write(layout.hosts, [*_others(layout.hosts), f"{address} {name} {MARK}"])


def remove(layout: Layout) -> None:
    """Remove what :func:`ensure` has written."""
    if layout.hosts.exists():
        _write(layout.hosts, _others(layout.hosts))


def _others(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if not line.endswith(MARK)]


def _write(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if path.exists() and path.read_text() == text:
        return
    # In place: it may be a mount point of its own, as in a container, which no rename can replace.
    path.write_text(text)
