# SPDX-License-Identifier: Apache-2.0
"""Options that describe the node itself: its name, its parts, its switch, its defaults for virtual machines."""

from oslo_config import cfg
from oslo_config import types

GROUP = cfg.OptGroup("node", title="Node")

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "name",
        help="Name of this node: of its record, its OVN chassis' host and its Kubernetes node in one. "
        "The answer of the enrollment must say the same.",
    ),
    cfg.Opt(
        "address",
        type=types.IPAddress(),
        help="Management address, at which apiserver and kubelet listen and other nodes reach this one.",
    ),
    cfg.StrOpt(
        "dist_dir",
        default="/usr/lib/hypernetes",
        help="The distribution tree: bin/ with containerd, runc, kubelet, kubeadm and the shims; guest/ with the "
        "kernel and root of the virtual machines.",
    ),
    cfg.StrOpt(
        "kubernetes_dir",
        default="/etc/kubernetes",
        help="Where kubeadm keeps certificates, kubeconfigs and static pods. kubeadm knows no other place.",
    ),
    cfg.StrOpt("supervisor_socket", default="/run/hypernetes/supervisor.sock", help="The node's supervisord."),
    cfg.StrOpt(
        "supervisor_dir",
        default="/etc/hypernetes/supervisor.d",
        help="Folder whose .conf files the node's supervisord includes; the agent writes its programs there.",
    ),
    cfg.StrOpt("log_dir", default="/var/log/hypernetes", help="Where the node's programs write their logs."),
    cfg.Opt(
        "registry_mirrors",
        type=types.Dict(value_type=types.URI(schemes=["https", "http"])),
        default={},
        help="Registry host → URL it is pulled from instead, for instance `registry.k8s.io:https://mirror:5001`. "
        "The upstream host is then not asked at all.",
    ),
    cfg.StrOpt("registry_ca_file", help="PEM of the authority that signed the mirrors' certificates."),
    cfg.StrOpt("pause_image", default="registry.k8s.io/pause:3.10.2", help="Pause image of pods that run under runc."),
    cfg.StrOpt(
        "plug_driver",
        default="ovs",
        choices=[("ovs", "Open vSwitch with OVN")],
        help="What connects a pod's TAP device to the network.",
    ),
    cfg.StrOpt(
        "ovsdb_connection",
        default="unix:/run/openvswitch/db.sock",
        help="Database of the node's Open vSwitch, as ovs-vsctl's --db takes it.",
    ),
    cfg.StrOpt("integration_bridge", default="br-int", help="Bridge that ovn-controller programs."),
    cfg.FloatOpt("ovsdb_timeout", default=10.0, min=1.0, help="Seconds one transaction with Open vSwitch may take."),
    cfg.FloatOpt(
        "plug_timeout",
        default=30.0,
        min=1.0,
        help="Seconds OVN may take to install a port's flows before CNI ADD fails (and is tried again by kubelet).",
    ),
    cfg.StrOpt("qemu", default="/usr/bin/qemu-system-x86_64", help="The virtual machine monitor."),
    cfg.StrOpt(
        "accelerator",
        default="auto",
        choices=[("auto", "KVM if a trial boot works, else TCG"), ("kvm", "KVM only"), ("tcg", "emulation")],
        help="How QEMU runs the guest's processor.",
    ),
    cfg.IntOpt(
        "scratch_size",
        default=10 << 30,
        min=16 << 20,
        help="Bytes of a pod's scratch disk where its limits.ephemeral-storage are not known. Otherwise they decide.",
    ),
    cfg.IntOpt(
        "scratch_reserve",
        default=1 << 30,
        min=0,
        help="Bytes of the scratch disks' file system that are never promised to pods, but left to images and logs.",
    ),
    cfg.FloatOpt(
        "scratch_allocation_ratio",
        default=1.0,
        min=0.1,
        help="How many times the space for scratch disks may be promised to pods. Beyond it a new pod is refused until "
        "others are gone. Above 1.0 the file system may fill up; pods that write then get an error.",
    ),
    cfg.IntOpt("default_memory", default=128 << 20, min=64 << 20, help="Bytes of memory of a pod without limits."),
    cfg.IntOpt(
        "overhead_memory",
        default=128 << 20,
        min=0,
        help="Bytes of guest memory beyond the containers' limits, for kernel and hyper-guest; less than the "
        "RuntimeClass' overhead ([kubernetes] pod_overhead_memory), which also holds shim and monitor.",
    ),
    cfg.IntOpt(
        "translation_buffer",
        default=64 << 20,
        min=8 << 20,
        max=2 << 30,
        help="Bytes of translated code that an emulated processor (TCG) keeps; a busy machine uses all of it. Half of "
        "it saves 36 MiB per machine and slows down large programs. The RuntimeClass' overhead "
        "([kubernetes] pod_overhead_memory) must hold it. Without effect with KVM.",
    ),
    cfg.IntOpt("uid_base", default=200000, min=1, help="First user id of virtual machines; each gets its own."),
    cfg.IntOpt("uid_count", default=65536, min=1, help="How many user ids virtual machines may use."),
]
