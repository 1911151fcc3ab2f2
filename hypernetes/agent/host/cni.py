# SPDX-License-Identifier: Apache-2.0
"""Installs the CNI plugin and its network configuration where containerd looks for them."""

import json
import sys
from pathlib import Path

import hypernetes
from hypernetes.agent import files
from hypernetes.agent.host.layout import Layout


def program(interpreter: str, packages: Path) -> str:
    """Render the executable: isolated Python without site-packages, which starts in half the time."""
    return f"""\
#!{interpreter} -IS
# Written by hypernetes-agent; changes are lost.
import sys

sys.path.insert(0, {str(packages)!r})
from hypernetes.cni.main import main

sys.exit(main())
"""


def network(plugin: str, socket: Path, timeout: int) -> str:
    """Return the network configuration list (CNI 1.1).

    :param timeout: seconds for one exchange with the agent, see :func:`hypernetes.conf.timeouts.cni_add`.
    """
    settings = {"type": plugin, "socket": str(socket), "timeout": timeout}
    return json.dumps({"cniVersion": "1.1.0", "name": "hypernetes", "plugins": [settings]}, indent=2) + "\n"


def install(layout: Layout, timeout: int) -> None:
    """Write both; the configuration last, since containerd reports the node ready once it exists."""
    packages = Path(hypernetes.__file__).parent.parent
    files.write(layout.cni_plugin, program(sys.executable, packages), 0o755)
    files.write(layout.cni_network, network(layout.cni_plugin.name, layout.agent_socket, timeout), 0o644)
