# SPDX-License-Identifier: Apache-2.0
"""The image registry that nodes pull from: distribution v3 over TLS, read-only to the network.

A node is not trusted, and one that could push would run its code in the control plane. Images come in by another
process that is reachable on the loopback only, while it works.
"""

from __future__ import annotations

import json
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

PUSH_TIMEOUT = 600.0


def render(store: Path, certificate: Path, key: Path) -> str:
    """The registry's configuration; JSON is YAML."""
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(store)},
                "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": True}},
            },
            "http": {
                "addr": addresses.REGISTRY,
                "tls": {"certificate": str(certificate), "key": str(key), "minimumtls": "tls1.2"},
            },
        },
        indent=1,
    )


def start(installation: Installation) -> None:
    """Serve the store, then fill it with the distribution's images that it lacks."""
    layout = installation.layout
    directory = layout.service("registry")
    store = directory / "store"
    store.mkdir(parents=True, exist_ok=True)
    configuration = directory / "config.json"
    machine.write(configuration, render(store, layout.tls / "registry.crt", layout.tls / "registry.key"))
    installation.control.apply(
        Program(
            name="registry",
            command=[layout.dist / "bin/registry", "serve", configuration],
            # Without this it looks for a trace collector and logs errors forever.
            environment={"OTEL_TRACES_EXPORTER": "none"},
            files=[configuration],
        )
    )
    inventory = (layout.dist / "distribution.json").read_text()
    installation.once("images", inventory, lambda: _fill(installation, store))


def _fill(installation: Installation, store: Path) -> None:
    layout = installation.layout
    machine.run_logged(
        ["/usr/bin/python3", layout.repository / "distribution/build", "push", "--store", store, layout.dist],
        log=layout.log / "images.log",
        timeout=PUSH_TIMEOUT,
        on_line=lambda _line: None,
        # Where `down` finds it, and the registry that it starts, after `up` was killed.
        in_child=cgroups.ProcessGroup("build").enter,
    )


def ready(installation: Installation) -> bool:
    """Return whether it answers over TLS."""
    return probes.answers(f"https://{addresses.REGISTRY}/v2/", ca_file=installation.layout.ca_certificate)


COMPONENT = Component(
    name="registry", summary="image registry, filled", needs=("supervisor", "bridge", "tls", "distribution"),
    start=start, ready=ready,
)  # fmt: skip
