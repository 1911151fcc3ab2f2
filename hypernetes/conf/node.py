# SPDX-License-Identifier: Apache-2.0
"""``[node]``: the node itself: its name, its programs, its switch, and the defaults of its virtual machines."""

from oslo_config import cfg
from oslo_config import types

from hypernetes.conf import timeouts

GROUP = cfg.OptGroup("node", title="Node")

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "name",
        help="Name of this node: of its record, of its OVN chassis' host and of its Kubernetes node. The agent stops "
        "if the API returns another name. Required.",
    ),
    cfg.Opt(
        "address",
        type=types.IPAddress(),
        help="Management IP address, on which apiserver and kubelet listen and at which other nodes reach this one. "
        "Required.",
    ),
    cfg.StrOpt(
        "dist_dir",
        default="/usr/lib/hypernetes",
        help="Directory of the distribution: bin/ with containerd, runc, kubelet, kubeadm and the shims; guest/ with "
        "the kernel and root file system of the virtual machines.",
    ),
    cfg.StrOpt(
        "kubernetes_dir",
        default="/etc/kubernetes",
        help="Directory in which kubeadm keeps certificates, kubeconfigs and static pods. kubeadm supports no other.",
    ),
    cfg.StrOpt(
        "supervisor_socket",
        default="/run/hypernetes/supervisor.sock",
        help="Socket of the node's supervisord, which runs containerd and kubelet.",
    ),
    cfg.StrOpt(
        "supervisor_dir",
        default="/etc/hypernetes/supervisor.d",
        help="Directory whose .conf files the node's supervisord includes; the agent writes its programs there.",
    ),
    cfg.StrOpt("log_dir", default="/var/log/hypernetes", help="Directory of the logs of the node's programs."),
    cfg.Opt(
        "registry_mirrors",
        type=types.Dict(value_type=types.URI(schemes=["https", "http"])),
        default={},
        help="Mirrors as registry host:URL, for example `registry.k8s.io:https://mirror:5001`. Images of that registry "
        "are pulled from the mirror only, never from the registry itself. The host `_default` stands for every other "
        "registry: a node then connects to no address that a tenant chooses. Its mirror is a pull-through proxy that "
        "reads the registry's name in the query parameter `ns`.",
    ),
    cfg.StrOpt("registry_ca_file", help="CA bundle (PEM) for verifying the mirrors; defaults to the system's."),
    cfg.StrOpt(
        "webhook_client_cert_file",
        help="Certificate (PEM) with which this node's kube-apiserver is a client of the TokenReview webhook; only on "
        "control nodes, with webhook_client_key_file. The proxy in front of the webhook demands one. The agent copies "
        "both files when it starts, and a kube-apiserver uses a renewed certificate without a restart.",
    ),
    cfg.StrOpt("webhook_client_key_file", help="Private key (PEM) of webhook_client_cert_file."),
    cfg.StrOpt(
        "pause_image",
        default="registry.k8s.io/pause:3.10.2",
        help="Pause image of the pods that run under runc (static pods).",
    ),
    cfg.StrOpt(
        "plug_driver",
        default="ovs",
        choices=[("ovs", "Open vSwitch with OVN")],
        help="Driver that connects a pod's TAP device to the network.",
    ),
    cfg.StrOpt(
        "ovsdb_connection",
        default="unix:/run/openvswitch/db.sock",
        help="Database of the node's Open vSwitch, in the form of ovs-vsctl's --db.",
    ),
    cfg.StrOpt("integration_bridge", default="br-int", help="Bridge that ovn-controller programs."),
    cfg.FloatOpt(
        "ovsdb_timeout",
        default=timeouts.OVSDB_TRANSACTION,
        min=1.0,
        help="Maximum time, in seconds, for one transaction with Open vSwitch.",
    ),
    cfg.FloatOpt(
        "plug_timeout",
        default=timeouts.PLUG,
        min=1.0,
        help="Maximum time, in seconds, for OVN to install a port's flows; then CNI ADD fails and the kubelet retries. "
        "Raise it on nodes with very many ports.",
    ),
    cfg.StrOpt(
        "qemu", default="/usr/bin/qemu-system-x86_64", help="Path of QEMU, which must be a program and not a script."
    ),
    cfg.StrOpt(
        "accelerator",
        default="auto",
        choices=[
            ("auto", "KVM if a trial boot succeeds, otherwise TCG"),
            ("kvm", "hardware virtualization only"),
            ("tcg", "emulation"),
        ],
        help="How QEMU runs the guest's processor.",
    ),
    cfg.IntOpt(
        "scratch_size",
        default=10 << 30,
        min=16 << 20,
        help="Size, in bytes, of the scratch disks of a pod whose limits.ephemeral-storage are not known; otherwise "
        "the limits decide. The disks are sparse.",
    ),
    cfg.IntOpt(
        "scratch_reserve",
        default=1 << 30,
        min=0,
        help="Size, in bytes, of the part of containerd's and the kubelet's file systems that is never promised to "
        "pods for scratch disks, but left to images and logs.",
    ),
    cfg.FloatOpt(
        "scratch_allocation_ratio",
        default=1.0,
        min=0.1,
        help="Ratio of the space promised to pods for scratch disks to the space that exists. When it is used up, a "
        "new pod is refused until others are gone. Above 1.0 the file system may fill up; pods that write then get "
        "an error.",
    ),
    cfg.IntOpt(
        "default_memory",
        default=128 << 20,
        min=64 << 20,
        help="Memory, in bytes, of the virtual machine of a pod without memory limits.",
    ),
    cfg.IntOpt(
        "overhead_memory",
        default=128 << 20,
        min=0,
        help="Memory, in bytes, that a virtual machine gets in addition to its containers' limits, for kernel and "
        "hyper-guest. It must be less than [kubernetes] pod_overhead_memory, which also covers shim and virtual "
        "machine monitor.",
    ),
    cfg.IntOpt(
        "translation_buffer",
        default=64 << 20,
        min=8 << 20,
        max=2 << 30,
        help="Size, in bytes, of the buffer of translated code of an emulated processor (TCG); a busy virtual machine "
        "uses all of it. Half the default saves 36 MiB per virtual machine and slows down large programs. "
        "[kubernetes] pod_overhead_memory must include it. It has no effect with KVM.",
    ),
    cfg.IntOpt(
        "uid_base",
        default=200000,
        min=1,
        help="First user ID for virtual machines, each of which runs as a user of its own. The range must not overlap "
        "the IDs of other users of the node.",
    ),
    cfg.IntOpt("uid_count", default=65536, min=1, help="Number of user IDs for virtual machines."),
    cfg.StrOpt(
        "templates",
        default="off",
        choices=[
            ("off", "Every virtual machine boots and has all of its memory to itself."),
            (
                "project",
                "Machines of one project with the same number of CPUs continue from the memory of a saved one and "
                "share what they do not write.",
            ),
        ],
        help="Whether virtual machines are cloned from templates instead of booted, and who shares one. A clone "
        "starts in a fraction of a boot and takes less memory; see the page about templates for what clones have in "
        "common.",
    ),
    cfg.IntOpt(
        "templates_count",
        default=8,
        min=1,
        help="Number of templates that the node keeps at most; the project that has most of them loses one first. It "
        "needs one for each project and number of CPUs in use.",
    ),
    cfg.IntOpt(
        "templates_memory",
        default=1 << 30,
        min=128 << 20,
        help="Memory, in bytes, that all templates of the node may occupy; one takes 129 MiB. It belongs to no pod: "
        "the memory that the node reserves for the system must include it, and 512 MiB more for the machine that "
        "becomes a template.",
    ),
    cfg.IntOpt(
        "templates_age",
        default=24 * 3600,
        min=60,
        help="Time, in seconds, after which a template is dropped and made again. Clones of one template have the same "
        "kernel address layout for at most this long.",
    ),
    cfg.IntOpt(
        "templates_idle",
        default=3600,
        min=60,
        help="Time, in seconds, after which a template that no pod used is dropped.",
    ),
    cfg.IntOpt(
        "templates_grace",
        default=300,
        min=0,
        help="Time, in seconds, for which templates stay after the last pod of their project on the node has ended. "
        "A longer one helps projects whose pods run one after another.",
    ),
]
