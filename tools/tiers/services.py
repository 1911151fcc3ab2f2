# SPDX-License-Identifier: Apache-2.0
"""What the tiers that start services run with: the quickstart's Python, its Go, and the distribution it built."""

from hypernetes.standalone.layout import Layout
from tools import golang


def services_environment() -> dict[str, str]:
    """Return the variables of the tests that start services or virtual machines."""
    layout = Layout.from_environment()
    environment = golang.environment()
    return {
        **environment,
        "PATH": f"{layout.venv / 'bin'}:{layout.dist / 'bin'}:{environment['PATH']}",
        "VIRTUAL_ENV": str(layout.venv),
        "HYPERNETES_VENV": str(layout.venv),
        "HYPERNETES_DIST": str(layout.dist),
        "HYPERNETES_DIST_DIR": str(layout.dist),
        "HYPERNETES_GUEST_DIR": str(layout.dist / "guest"),
    }
