# SPDX-License-Identifier: Apache-2.0
"""The distribution tree: Kubernetes, containerd, the runtime, the guest, images; built unless one is named."""

from __future__ import annotations

from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import PREBUILT

# Cold, Kubernetes alone compiles for ten minutes on two cores.
BUILD_TIMEOUT = 3600.0


def start(installation: Installation) -> None:
    """Run ``distribution/build``, which does only what its cache lacks.

    :raises StandaloneError: when the prebuilt tree that was named is not one.
    """
    layout = installation.layout
    if layout.prebuilt:
        if not (layout.prebuilt / "distribution.json").exists():
            raise machine.StandaloneError(
                f"{layout.prebuilt} (HYPERNETES_DIST) is not a distribution tree; build one with distribution/build"
            )
        machine.write(layout.state / PREBUILT, str(layout.prebuilt))
        return
    build(installation)


def build(installation: Installation, *names: str) -> None:
    """Build the distribution, or the named components of it, into the tree."""
    layout = installation.layout
    group = cgroups.ProcessGroup("build")
    # A killed run may have left its compilers, which hold the cache's locks.
    group.end(grace=5)
    machine.run_logged(
        ["/usr/bin/python3", layout.repository / "distribution/build", "--output", layout.dist,
         "--cache", layout.distribution_cache, *names],
        log=layout.log / "distribution.log",
        timeout=BUILD_TIMEOUT,
        on_line=lambda line: installation.say(f"    distribution: {line}\n"),
        in_child=group.enter,
        environment={**machine.package_client_environment(), "PATH": f"/usr/local/go/bin:{machine.PATH}"},
    )  # fmt: skip


def ready(installation: Installation) -> bool:
    """Return whether there is a tree."""
    return (installation.layout.dist / "distribution.json").exists()


COMPONENT = Component(
    name="distribution",
    summary="Kubernetes, containerd, runtime, guest and images",
    needs=("supervisor",),
    start=start,
    ready=ready,
)
