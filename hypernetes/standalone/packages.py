# SPDX-License-Identifier: Apache-2.0
"""Installs what optional components need, once one of them was chosen."""

from __future__ import annotations

from hypernetes.standalone import machine
from hypernetes.standalone.installation import Installation

INSTALL_TIMEOUT = 900


def pinned(installation: Installation, project: str) -> str:
    """Return the version to which ``constraints.txt`` pins a Python project."""
    lines = (installation.layout.repository / "hypernetes/standalone/constraints.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{project}=="))


def install_extra(installation: Installation, extra: str, project: str) -> None:
    """Install an extra of ``pyproject.toml`` into the quickstart's environment, unless it is there.

    :param project: the Python project that is there once the extra is.
    """
    layout = installation.layout
    if list(layout.venv.glob(f"lib/python3*/site-packages/{project}-{pinned(installation, project)}.dist-info")):
        return
    scratch = layout.cache / "uv-cache/tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    machine.run(
        [
            layout.cache / "uv/bin/uv", "pip", "install", "--python", layout.venv / "bin/python",
            "--constraint", layout.repository / "hypernetes/standalone/constraints.txt",
            "--editable", f"{layout.repository}[standalone,{extra}]",
        ],
        timeout=INSTALL_TIMEOUT,
        environment={
            **machine.package_client_environment(),
            "UV_CACHE_DIR": str(layout.cache / "uv-cache"),
            "UV_SYSTEM_CERTS": "true",
            "TMPDIR": str(scratch),
        },
    )  # fmt: skip


def install_profile(installation: Installation, profile: str) -> None:
    """Install the Debian packages of a profile of ``bindep.txt`` that are missing."""
    quickstart = installation.layout.repository / "tools/quickstart"
    machine.run(
        [quickstart, "packages", profile],
        timeout=INSTALL_TIMEOUT,
        environment={**machine.package_client_environment(), "HYPERNETES_CACHE": str(installation.layout.cache)},
    )
