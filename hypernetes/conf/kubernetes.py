# SPDX-License-Identifier: Apache-2.0
"""``[kubernetes]``: the clusters that conductors create, and the client with which they reach the apiservers."""

from oslo_config import cfg
from oslo_config import types

from hypernetes.conf import timeouts

GROUP = cfg.OptGroup("kubernetes", title="Kubernetes clusters")

_REGISTRY = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"

OPTIONS: list[cfg.Opt] = [
    cfg.URIOpt(
        "webhook_url",
        schemes=["https"],
        help="Base URL of hypernetes-webhook, as control nodes reach it; /v1/clusters/<id>/tokenreview is appended.",
    ),
    cfg.StrOpt(
        "webhook_ca_file",
        help="CA bundle (PEM) for verifying the webhook; its content is sent to control nodes.",
    ),
    cfg.StrOpt(
        "image_repository",
        default="registry.k8s.io",
        help="Registry prefix of the control plane's images. Change it to use a mirror.",
    ),
    cfg.IntOpt(
        "tenant_write_shares",
        default=5,
        min=1,
        max=100,
        help="Share of each lane of tenants' writes in the apiservers' concurrency (nominalConcurrencyShares). A "
        "project's writes have a lane of their own, which limits it: with the default to 10 requests at a time of the "
        "apiserver's 600, and to fewer the more projects there are. Lower it where a single tenant's writes delay "
        "others, as on small control nodes. See also [webhook] write_rate.",
    ),
    cfg.IntOpt(
        "etcd_quota",
        default=8 << 30,
        min=128 << 20,
        help="Size, in bytes, of a new cluster's etcd database (--quota-backend-bytes). A database that reaches it "
        "refuses every write. Above three quarters of it, the cluster's status_reason and an event say so. Upstream "
        "recommends at most 8 GiB.",
    ),
    cfg.ListOpt(
        "image_registries",
        item_type=types.String(regex=_REGISTRY, ignore_case=True),
        default=[],
        help="Registries from which alone tenants' images may come, as host or host:port; an image without a registry "
        "is of docker.io. Empty allows every registry with a public domain name and the default port. Nodes connect "
        "to a registry with their own reach: set this, or send every registry through a proxy with [node] "
        "registry_mirrors, unless nodes are kept from the control network by other means.",
    ),
    cfg.DictOpt(
        "storage_classes",
        default={},
        help="The StorageClasses of the clusters and their volume types in Cinder, by ID or name, for example "
        "standard:ceph,fast:ssd; a type must have no comma in its name. The first one is the default class. A class "
        "that is removed here is removed from the clusters, and existing volumes stay. A project sees every class, "
        "and needs access to the type to use one. Leave it empty where hypernetes-csi does not run.",
    ),
    cfg.BoolOpt(
        "privileged_containers",
        default=False,
        help="Whether tenants may run privileged containers. Such a container is root of its pod's own virtual machine "
        "and sees nothing of the node, but it has the whole kernel of the machine and its devices to attack QEMU with.",
    ),
    cfg.StrOpt(
        "api_domain",
        help="DNS domain in which the apiserver of each new cluster has a name, <cluster>.<domain>: the cluster's "
        "controlPlaneEndpoint, which is in its certificate and in the kubeconfigs of nodes and users. Create the "
        "records yourself, for the control node or for a load balancer in front of it. When it is not set, the name "
        "is <cluster>.hypernetes.internal, agents write it into the hosts files of their nodes, and users' "
        "kubeconfigs have the control node's address.",
    ),
    cfg.ListOpt(
        "extra_certificate_names",
        default=[],
        help="Additional names and addresses of the apiservers for their certificates, for example those of a load "
        "balancer.",
    ),
    cfg.ListOpt(
        "ignored_preflight_checks",
        default=[],
        help="kubeadm preflight checks whose failure is only a warning, for example Swap or SystemVerification.",
    ),
    cfg.DictOpt(
        "eviction_hard",
        default={
            "memory.available": "100Mi",
            "nodefs.available": "5%",
            "nodefs.inodesFree": "5%",
            "imagefs.available": "5%",
        },
        help="The kubelet's hard eviction thresholds. The default is lower than the kubelet's, which is meant for "
        "containers that share one file system.",
    ),
    cfg.IntOpt(
        "certificate_validity",
        default=365 * 24 * 3600,
        min=600,
        max=365 * 24 * 3600,
        help="Time, in seconds, for which the certificates of control planes and the conductor's own client "
        "certificate are valid. They are renewed, and the control plane's pods restarted, when a third of it is left. "
        "It must be several times [conductor] audit_interval, at which the dates are checked.",
    ),
    cfg.BoolOpt(
        "taint_control_nodes",
        default=True,
        help="Keep tenants' pods off control nodes. Set it to False only for a one-node cluster that serves to try "
        "Hypernetes.",
    ),
    cfg.FloatOpt(
        "request_timeout",
        default=timeouts.APISERVER_REQUEST,
        min=1.0,
        help="Maximum time, in seconds, for one request to an apiserver.",
    ),
    cfg.IntOpt(
        "default_container_memory",
        default=1 << 30,
        min=64 << 20,
        help="Bytes of memory that a container without a memory limit adds to its pod's virtual machine, unless it "
        "requests more. Memory that is not touched costs a node 2 % of it. Lower it on small nodes.",
    ),
    cfg.IntOpt(
        "default_pod_cpus",
        default=2,
        min=1,
        help="Processors of a pod's virtual machine, at least, if one of its containers has no CPU limit. A machine "
        "never has more than its node.",
    ),
    cfg.StrOpt(
        "namespace_cpu",
        default="100",
        help="CPUs that the pods of one namespace may request together, as a Kubernetes quantity; empty for no limit. "
        "With [api] namespaces_per_project it bounds what a project may request. A change reaches existing namespaces "
        "within [conductor] audit_interval; pods that run are kept.",
    ),
    cfg.StrOpt(
        "namespace_memory",
        default="400Gi",
        help="Memory that the pods of one namespace may request together, their overhead included, as a Kubernetes "
        "quantity; empty for no limit.",
    ),
    cfg.StrOpt(
        "pod_overhead_memory",
        default="256Mi",
        help="Memory that a pod takes in addition to its containers, declared in the RuntimeClass: shim, virtual "
        "machine monitor and what [node] overhead_memory gives the guest. The pod's virtual machine is limited to its "
        "containers' memory plus this value, so a value that is too small gets virtual machines OOM-killed. The "
        "default is for KVM; where the processor is emulated (TCG), add [node] translation_buffer and 96 MiB.",
    ),
    cfg.StrOpt(
        "pod_overhead_cpu",
        default="50m",
        help="CPU that shim and virtual machine monitor take per pod, declared in the RuntimeClass.",
    ),
]
