# SPDX-License-Identifier: Apache-2.0
"""Runs the clients ``openstack`` and ``kubectl`` as one of the stack's users."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from hypernetes.login import cache
from hypernetes.standalone import machine
from hypernetes.standalone.installation import Installation


def environment(installation: Installation, user: str) -> dict[str, str]:
    """Return the user's environment; the password stays in clouds.yaml (mode 0600)."""
    layout = installation.layout
    return {
        "PATH": f"{layout.venv / 'bin'}:{layout.dist / 'bin'}:{machine.PATH}",
        "OS_CLIENT_CONFIG_FILE": str(layout.clients / "clouds.yaml"),
        "OS_CLOUD": user,
        "KUBECONFIG": str(kubeconfig(installation, user)),
        # kubectl and the login helper keep caches below HOME, which must be the installation's.
        "HOME": str(layout.clients),
    }


def kubeconfig(installation: Installation, user: str) -> Path:
    """Return the path of the user's kubeconfig."""
    return installation.layout.clients / f"{user}.kubeconfig"


def openstack(installation: Installation, user: str, *words: str, timeout: float = 120) -> str:
    """Run an ``openstack`` command and return its output.

    :raises CommandFailed: when it fails.
    """
    return machine.run(
        [installation.executable("openstack"), *words], timeout=timeout, environment=environment(installation, user)
    )


def kubectl(installation: Installation, user: str, *words: str, stdin: str | None = None, timeout: float = 60) -> str:
    """Run kubectl and return its output.

    :raises CommandFailed: when it fails.
    """
    return machine.run(
        [installation.layout.dist / "bin/kubectl", f"--request-timeout={min(timeout, 60):.0f}s", *words],
        timeout=timeout + 5,
        environment=environment(installation, user),
        stdin=stdin,
    )


def kubectl_succeeds(installation: Installation, user: str, *words: str) -> bool:
    """Return whether a kubectl command succeeds."""
    try:
        kubectl(installation, user, *words, timeout=20)
    except machine.CommandFailed:
        return False
    return True


def ensure_kubeconfig(installation: Installation, user: str, cluster: str) -> None:
    """Write the user's kubeconfig unless it exists and works."""
    path = kubeconfig(installation, user)
    if path.exists() and kubectl_succeeds(installation, user, "get", "--raw", "/version"):
        return
    if path.exists():
        # The new file has another credential, under which the old one's token would not be found.
        _forget_tokens_of(path)
    openstack(installation, user, "kube", "config", cluster, "--file", str(path))


def forget_tokens(installation: Installation) -> None:
    """Remove the tokens that kubectl has cached below the caller's home directory with a kubeconfig of the stack.

    They are worthless once Keystone is gone, and their owner could not be found later.
    """
    for path in installation.layout.clients.glob("*.kubeconfig"):
        _forget_tokens_of(path)


def _forget_tokens_of(path: Path) -> None:
    for user in yaml.safe_load(path.read_text())["users"]:
        variables = {one["name"]: one["value"] for one in user["user"]["exec"]["env"]}
        cached = cache.path_for({**os.environ, **variables})
        cached.unlink(missing_ok=True)
        if cached.parent.is_dir() and not any(cached.parent.iterdir()):
            cached.parent.rmdir()
