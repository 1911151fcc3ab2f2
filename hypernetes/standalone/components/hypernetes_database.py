# SPDX-License-Identifier: Apache-2.0
"""Hypernetes' tables."""

from __future__ import annotations

from pathlib import Path

from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.installation import Installation


def start(installation: Installation) -> None:
    """Bring the tables to this release's form; nothing happens when they have it."""
    path = installation.layout.service("hypernetes-database") / "hypernetes.conf"
    sections: ini.Sections = {"database": {"connection": mariadb.url(installation, "hypernetes")}}
    machine.write(path, ini.render(sections), mode=0o600)
    command: list[str | Path] = [installation.executable("hypernetes-manage"), "--config-file", path, "db", "upgrade"]
    machine.run(command, timeout=120)


COMPONENT = Component(name="hypernetes-database", summary="Hypernetes' tables", needs=("mariadb",), start=start)
