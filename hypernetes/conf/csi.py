# SPDX-License-Identifier: Apache-2.0
"""``[csi]``: the CSI driver of one cluster."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "csi",
    title="CSI driver",
    help="hypernetes-csi, which makes Cinder volumes for the persistent volume claims of one cluster. It runs on a "
    "control node of the cloud beside csi-provisioner, with the conductor's options of [database] and [openstack].",
)

OPTIONS = [
    cfg.StrOpt("cluster_id", help="ID of the cluster whose claims are served (`openstack kube cluster show`)."),
    cfg.StrOpt(
        "kubeconfig",
        default="/etc/hypernetes/csi.kubeconfig",
        help="Kubeconfig of the user hypernetes:volumes, with embedded certificates, as `kubeadm kubeconfig user` "
        "writes it on a control node of the cluster. csi-provisioner uses the same file.",
    ),
    cfg.StrOpt(
        "socket",
        default="/run/hypernetes-csi/csi.sock",
        help="Unix socket at which sidecars call the driver (their --csi-address). Only the driver's own user may open "
        "it, so sidecars run as the same user.",
    ),
    cfg.IntOpt(
        "workers",
        default=16,
        min=1,
        max=1000,
        help="Number of calls served at a time. Raise it together with csi-provisioner's --worker-threads where many "
        "claims are created at once and Cinder is slow.",
    ),
    cfg.FloatOpt(
        "wait",
        default=40.0,
        min=1.0,
        help="Time, in seconds, for which a call waits until Cinder has created or deleted a volume. Then the sidecar "
        "repeats the call. It must be less than csi-provisioner's --timeout.",
    ),
]
