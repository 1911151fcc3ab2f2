# SPDX-License-Identifier: Apache-2.0
"""kubelet's program: kubeadm writes its flags into an environment file, as it does for systemd's unit."""

import shlex

from hypernetes.agent.host import services
from hypernetes.agent.host.layout import Layout

PROGRAM = "kubelet"


def script(layout: Layout) -> str:
    """Render a shell script that becomes kubelet once kubeadm has written its configuration.

    It replaces the drop-in 10-kubeadm.conf of Kubernetes' packages.
    """
    kubernetes = shlex.quote(str(layout.kubernetes))
    kubelet = shlex.quote(str(layout.kubelet))
    return f"""\
#!/bin/sh
# Written by hypernetes-agent; changes are lost.
set -eu
[ -f {kubelet}/config.yaml ] || {{ echo 'kubeadm has not configured kubelet yet'; exit 1; }}
KUBELET_KUBEADM_ARGS=
if [ -f {kubelet}/kubeadm-flags.env ]; then . {kubelet}/kubeadm-flags.env; fi
# Unquoted on purpose: these are several arguments.
exec {shlex.quote(str(layout.binaries / "kubelet"))} \\
  --bootstrap-kubeconfig={kubernetes}/bootstrap-kubelet.conf --kubeconfig={kubernetes}/kubelet.conf \\
  --config={kubelet}/config.yaml $KUBELET_KUBEADM_ARGS
"""


def program(layout: Layout) -> services.Program:
    """Return kubelet as the service manager runs it."""
    return services.Program(
        name=PROGRAM,
        command=("/bin/sh", str(layout.kubelet_script)),
        environment={"PATH": layout.search_path},
    )
