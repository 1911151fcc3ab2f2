# SPDX-License-Identifier: Apache-2.0
"""Makes and renews a control node's certificates with the real kubeadm, where /etc/kubernetes is hidden.

To be run by ``unshare --mount``: ``python -m hypernetes.tests.functional.kubernetes.renewal DIRECTORY``. It leaves the
apiserver's certificates ``before`` and ``after`` and the static pods' ``manifests`` there.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from hypernetes.agent import commands
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.bootstrap import renew
from hypernetes.agent.bootstrap import sign_client
from hypernetes.kubernetes.bootstrap import kubeadm as configurations
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.support import agent_builders
from hypernetes.tests.support import kubernetes_builders

VALIDITY_SECONDS = 600
KUBERNETES = Path("/etc/kubernetes")


def run_kubeadm(argv: Any, **_: Any) -> str:
    """Run what needs neither containerd nor a kubelet."""
    words = [str(word) for word in argv]
    if "kubelet-start" in words:
        return ""
    program = control_plane.distribution() / "bin" / "kubeadm"
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise commands.CommandFailed("kubeadm", f"ended with status {done.returncode}", done.stdout + done.stderr)
    return done.stdout


def main(directory: Path) -> None:
    """Bootstrap the files, then renew them as the agent does."""
    subprocess.run(["mount", "-t", "tmpfs", "none", str(KUBERNETES)], check=True)
    built, _, _ = agent_builders.node(directory)
    layout = replace(built.layout, kubernetes=KUBERNETES)
    node = replace(built, layout=layout, commands=mock.Mock(run=run_kubeadm))
    spec = kubernetes_builders.cluster_spec(certificate_validity=VALIDITY_SECONDS)
    inputs: Mapping[str, str] = {"kubeadm.yaml": configurations.configuration(spec)}
    layout.cluster_files.mkdir(parents=True)
    kubeadm.refresh_configuration(node, inputs)
    for phase in (("certs", "all"), ("kubeconfig", "all")):
        kubeadm.run(node, kubeadm.arguments(phase, str(layout.kubeadm_configuration)), phase[0], 60)
    for name in ("admin.conf", "super-admin.conf"):
        (layout.kubernetes / name).unlink()
    certificate = layout.kubernetes / "pki" / "apiserver.crt"
    shutil.copy(certificate, directory / "before")
    time.sleep(2)  # Certificates have whole seconds.
    with mock.patch.object(sign_client, "run", return_value={}), mock.patch.object(renew, "is_renewed"):
        renew.run(node, inputs)
    shutil.copy(certificate, directory / "after")
    manifests = sorted((layout.kubernetes / "manifests").iterdir())
    (directory / "manifests").write_text("".join(path.read_text() for path in manifests))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
