# SPDX-License-Identifier: Apache-2.0
"""What the parts of the agent share about the machine they run on."""

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
    """The machine: its options, its directories, how programs are run and kept running there."""

    conf: cfg.ConfigOpts
    layout: layouts.Layout
    commands: commands.Commands
    services: services.ServiceManager

    @property
    def api_address(self) -> str:
        """URL of the apiserver that this node runs or would run."""
        return f"https://{kubeadm.endpoint(str(self.conf.node.address))}"


def from_conf(conf: cfg.ConfigOpts) -> Node:
    """The node that the options describe."""
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
    """The kernel's id of this boot; another one means that everything in /run is gone."""
    return BOOT_ID.read_text().strip()
