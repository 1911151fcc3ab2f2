# SPDX-License-Identifier: Apache-2.0
"""Paths: the state directory, the cache directory and what they hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE = Path("/var/lib/hypernetes-standalone")
DEFAULT_CACHE = Path("/var/cache/hypernetes-standalone")

PREBUILT = "prebuilt-distribution"


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one installation.

    ``state`` belongs to what runs, ``cache`` to what can be built or fetched again, ``repository`` is the work
    tree the quickstart was called from. ``prebuilt`` is a distribution tree built elsewhere, if any.
    """

    state: Path
    cache: Path
    repository: Path
    prebuilt: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Layout:
        """Read HYPERNETES_STATE, HYPERNETES_CACHE and HYPERNETES_DIST.

        A prebuilt distribution that the last ``up`` was given is remembered in the state directory.
        """
        env = os.environ if environment is None else environment
        state = Path(env.get("HYPERNETES_STATE") or DEFAULT_STATE).resolve()
        remembered = state / PREBUILT
        prebuilt = env.get("HYPERNETES_DIST") or (remembered.read_text() if remembered.exists() else None)
        return cls(
            state=state,
            cache=Path(env.get("HYPERNETES_CACHE") or DEFAULT_CACHE).absolute(),
            repository=Path(__file__).resolve().parents[2],
            prebuilt=Path(prebuilt).resolve() if prebuilt else None,
        )

    @property
    def venv(self) -> Path:
        """The virtual environment all Python services run in."""
        return self.cache / "venv"

    @property
    def dist(self) -> Path:
        """The distribution tree: Kubernetes, containerd, the runtime, the guest, images, the registry."""
        return self.prebuilt or self.cache / "dist"

    @property
    def distribution_cache(self) -> Path:
        """The content-addressed cache of ``distribution/build``."""
        return self.cache / "distribution"

    def sources(self) -> list[Path]:
        """The code of the services: a process that runs an older one is restarted."""
        package = self.repository / "hypernetes"
        aside = {package / name for name in ("tests", "standalone", "osc")}
        return [path for path in sorted(package.rglob("*.py")) if aside.isdisjoint(path.parents)]

    @property
    def secrets(self) -> Path:
        """Generated passwords, one file each, readable by root alone."""
        return self.state / "secrets"

    @property
    def tls(self) -> Path:
        """The installation's CA and the certificates it issued."""
        return self.state / "tls"

    @property
    def ca_certificate(self) -> Path:
        """The CA's certificate; public, and all a client needs."""
        return self.tls / "ca.crt"

    @property
    def clients(self) -> Path:
        """Users' files: clouds.yaml and kubeconfigs."""
        return self.state / "clients"

    @property
    def log(self) -> Path:
        """One log file per process."""
        return self.state / "log"

    @property
    def run(self) -> Path:
        """Sockets and process identities; worthless after a reboot."""
        return self.state / "run"

    def service(self, name: str) -> Path:
        """The directory of one control service: its configuration and its data."""
        return self.state / "services" / name

    @property
    def nodes(self) -> Path:
        """The nodes' directories."""
        return self.state / "nodes"

    @property
    def namespaces(self) -> Path:
        """Where the nodes' mount namespaces are pinned."""
        return self.run / "ns"

    def node(self, name: str) -> Path:
        """The directory that holds a node's own /etc, /var and /run."""
        return self.nodes / name
