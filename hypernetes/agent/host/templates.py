# SPDX-License-Identifier: Apache-2.0
"""The process that keeps the memory of saved virtual machines, from which new ones are cloned."""

import hashlib
import json

from oslo_config import cfg

from hypernetes.agent.host import runtime
from hypernetes.agent.host import services
from hypernetes.agent.host.layout import Layout

PROGRAM = "hypernetes-templates"


def program(conf: cfg.ConfigOpts, layout: Layout) -> services.Program | None:
    """Return the program as the service manager runs it; None if templates are off."""
    if conf.node.templates == "off":
        return None
    # It reads its settings once, so that other settings are another program.
    settings = json.dumps(runtime.configuration(conf, layout), sort_keys=True)
    return services.Program(
        name=PROGRAM,
        command=(str(layout.binaries / PROGRAM), "-config", str(layout.runtime)),
        environment={
            "HYPERNETES_CONFIG_DIGEST": hashlib.sha256(settings.encode()).hexdigest()[:16],
            "PATH": layout.search_path,
        },
    )
