# SPDX-License-Identifier: Apache-2.0
"""Which function carries out which phase of :mod:`hypernetes.kubernetes.bootstrap.phases`."""

from hypernetes.agent.bootstrap import forget_admin
from hypernetes.agent.bootstrap import join
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.bootstrap import Phase
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.bootstrap import prepare_worker
from hypernetes.agent.bootstrap import renew
from hypernetes.agent.bootstrap import reset
from hypernetes.agent.bootstrap import sign_client

PHASES: dict[str, Phase] = {
    "prepare": prepare.run,
    **kubeadm.PHASES,
    "sign-client": sign_client.run,
    "forget-admin": forget_admin.run,
    "renew-control-plane": renew.run,
    # By a conductor of an earlier release.
    "renew": renew.run,
    "prepare-worker": prepare_worker.run,
    "join": join.run,
    "reset": reset.run,
}
