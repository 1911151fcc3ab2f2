# SPDX-License-Identifier: Apache-2.0
"""Options of the clusters that are made and of the client that talks to them."""

from oslo_config import cfg

GROUP = cfg.OptGroup("kubernetes", title="Kubernetes clusters")

OPTIONS = [
    cfg.URIOpt(
        "webhook_url",
        schemes=["https"],
        help="Base URL of hypernetes-webhook as control nodes reach it; /v1/clusters/<id>/tokenreview is appended.",
    ),
    cfg.StrOpt(
        "webhook_ca_file",
        help="PEM file of the authority that signed the webhook's certificate; its content goes to control nodes.",
    ),
    cfg.StrOpt(
        "image_repository",
        default="registry.k8s.io",
        help="Registry prefix of the control plane's images.",
    ),
    cfg.ListOpt(
        "extra_certificate_names",
        default=[],
        help="Further names and addresses under which users reach apiservers, for their certificates.",
    ),
    cfg.ListOpt(
        "ignored_preflight_checks",
        default=[],
        help="kubeadm preflight checks that only warn, for instance Swap or SystemVerification.",
    ),
    cfg.DictOpt(
        "eviction_hard",
        default={
            "memory.available": "100Mi",
            "nodefs.available": "5%",
            "nodefs.inodesFree": "5%",
            "imagefs.available": "5%",
        },
        help="kubelet's hard eviction thresholds.",
    ),
    cfg.BoolOpt(
        "taint_control_nodes",
        default=True,
        help="Keep tenants' pods off control nodes. Only a one-node cluster for trying things out sets this to False.",
    ),
    cfg.FloatOpt(
        "request_timeout",
        default=10.0,
        min=1.0,
        help="Seconds after which a request to an apiserver is given up.",
    ),
    cfg.StrOpt(
        "pod_overhead_memory",
        default="256Mi",
        help="Memory a pod takes beyond its containers, declared in the RuntimeClass: shim, virtual machine monitor "
        "and what [node] overhead_memory gives the guest. The pod's machine is limited to its containers' memory and "
        "this, so too little ends machines (OOMKilled). The default is for KVM; where the processor is emulated (TCG), "
        "add [node] translation_buffer and 64 MiB.",
    ),
    cfg.StrOpt(
        "pod_overhead_cpu",
        default="50m",
        help="CPU of shim and virtual machine monitor per pod, declared in the RuntimeClass.",
    ),
]
