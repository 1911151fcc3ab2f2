# SPDX-License-Identifier: Apache-2.0
"""The supervisor of the control services, and the kernel's control groups it is known by."""

from __future__ import annotations

from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone import supervision
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation


def start(installation: Installation) -> None:
    """Mount control groups where no init system did, and start the daemon."""
    layout = installation.layout
    layout.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    installation.record("mounts", *(str(path) for path in cgroups.ensure_mounted()))
    directory = layout.state / "supervisor"
    text = supervision.render_daemon(
        socket=layout.run / "supervisor.sock", run=layout.run, log=layout.log, include=directory / "programs"
    )
    machine.write(directory / "supervisord.conf", text)
    (directory / "programs").mkdir(exist_ok=True)
    layout.run.mkdir(exist_ok=True)
    installation.control.ensure_running()


def ready(installation: Installation) -> bool:
    """Return whether the recorded daemon runs."""
    return installation.control.identity is not None


COMPONENT = Component(
    name="supervisor", summary="keeper of the control services' processes", start=start, ready=ready, timeout=20
)
