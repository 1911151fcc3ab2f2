# SPDX-License-Identifier: Apache-2.0
"""The machine that the agent runs on, as its parts share it."""

from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from hypernetes.agent import commands
from hypernetes.agent.host import layout as layouts
from hypernetes.agent.host import services
from hypernetes.kubernetes.bootstrap import kubeadm

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Node:
    """The machine: its options, its directories, its commands and its service manager."""

    conf: cfg.ConfigOpts
    layout: layouts.Layout
    commands: commands.Commands
    services: services.ServiceManager

    @property
    def api_address(self) -> str:
        """URL of the apiserver that this node runs or would run."""
        return f"https://{kubeadm.endpoint(str(self.conf.node.address))}"


def from_conf(conf: cfg.ConfigOpts) -> Node:
    """Return the node that the options describe."""
    layout = layouts.from_conf(conf)
    return Node(
        conf=conf,
        layout=layout,
        commands=commands.Commands(
            search_path=layout.search_path, timeout=conf.agent.phase_timeout, lock=layout.state / "command.lock"
        ),
        services=services.Supervisor(Path(conf.node.supervisor_socket), layout.programs, layout.logs),
    )


def boot_id() -> str:
    """Return the kernel's ID of this boot; when it changes, everything in /run is gone."""
    return BOOT_ID.read_text().strip()
