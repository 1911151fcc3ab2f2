# SPDX-License-Identifier: Apache-2.0
"""The reference for what a container finds: the same pods under containerd's plain runc, on the same node.

They are pods of kube-system, the only namespace that runc serves, made by an administrator whose certificate kubeadm
signs on the control node. They use the node's network: no tenant's port is allocated to them.
"""

import contextlib
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hypernetes.standalone import addresses
from hypernetes.standalone import nodes
from hypernetes.tests.isolation import base

NAMESPACE = "kube-system"

# Prints a line "key<TAB>value" for each thing that a program can see of how it was started. Busybox is all it needs.
PROBE = r"""
say() { printf '%s\t%s\n' "$1" "$2"; }
# Those of a mount point that are the same on all kinds of file systems, or nothing.
options() {
    awk -v f="$1" '$5 == f { print $6 }' /proc/self/mountinfo | tail -1 | tr ',' '\n' |
        grep -E '^(ro|rw|nosuid|nodev|noexec)$' | sort | tr '\n' ' '
}
sed 1d /proc/self/limits | while IFS= read -r line; do
    say "limit $(printf '%.25s' "$line" | sed 's/ *$//')" "$(printf '%s' "$line" | cut -c27- | tr -s ' ')"
done
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic_on_oops kernel/keys/root_maxkeys kernel/shmmax \
    kernel/shmall kernel/shmmni kernel/msgmax kernel/msgmni kernel/msgmnb kernel/sem fs/mqueue/msg_max \
    fs/mqueue/queues_max net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range; do
    say "sysctl $name" "$(cat /proc/sys/$name | tr '\t' ' ')"
done
for name in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigBlk SigIgn; do
    say "status $name" "$(sed -n "s/^$name:\t//p" /proc/self/status)"
done
say "status of 1: SigIgn" "$(sed -n 's/^SigIgn:\t//p' /proc/1/status)"
say umask "$(umask)"
say id "$(id -u):$(id -g) $(id -G | tr ' ' '\n' | sort -n | tr '\n' ' ')"
say directory "$(pwd)"
say oom_score_adj "$(cat /proc/self/oom_score_adj)"
say "first program" "$(tr '\0' ' ' </proc/1/cmdline | cut -c1-20)"
say variables "$(env | sed 's/=.*//' | grep -vE '^(KUBERNETES_|HOSTNAME$|_$|SHLVL$)' | sort | tr '\n' ' ')"
say HOME "$HOME"
for file in /etc/hosts /etc/hostname /etc/resolv.conf /dev/termination-log /dev/shm /dev/mqueue /proc /sys \
    /sys/fs/cgroup; do
    say "mount $file" "$(options $file)"
    say "mode $file" "$(stat -c '%a %u:%g %F' $file)"
done
for file in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /proc/scsi /sys/firmware; do
    say "masked $file" "$([ ! -e $file ] && echo absent || { [ "$(options $file)" ] && echo masked || echo open; })"
done
for file in /proc/sys /proc/irq /proc/bus /proc/fs /proc/sysrq-trigger; do
    say "read-only $file" "$([ ! -e $file ] && echo absent || options $file | grep -o 'r[ow] ')"
done
for device in null zero full random urandom tty ptmx pts console fd stdin core; do
    say "device $device" "$(stat -c '%a %u:%g %F %t:%T' /dev/$device 2>/dev/null | sed 's/ *$//')"
done
say devices "$(ls /dev | grep -vE '^(shm|mqueue|termination-log)$' | tr '\n' ' ')"
for path in /empty /memory /config /config/plain /config/deep/own-mode /secret /secret/key /projected \
    /projected/labels /projected/plain /part /part/made /file /file-of-config; do
    say "mode $path" "$(stat -L -c '%a %u:%g %F %s' $path | sed 's/directory [0-9]*/directory/')"
    touch $path/written 2>/dev/null && say "write $path" "$(stat -c '%a %u:%g' $path/written)" || say "write $path" no
done
say "mount /memory" "$(awk '$2 == "/memory" { print $3 }' /proc/mounts)"
say "content" "$(cat /config/plain /file-of-config /file /secret/key | tr '\n' ' ')"
say "links" "$(readlink /config/plain) $(readlink /config/..data | sed 's/[0-9].*//')"
"""

LABELS = {"app": "plain-runtime"}
SELECTOR = "app=plain-runtime"
_METADATA = {"name": "plain-runtime", "labels": LABELS}
OBJECTS = (
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _METADATA, "data": {"plain": "a\n"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": _METADATA, "stringData": {"key": "b\n"}},
)
VOLUMES: list[dict[str, Any]] = [
    {"name": "empty", "emptyDir": {}},
    {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    {
        "name": "config",
        "configMap": {
            "name": "plain-runtime",
            "defaultMode": 0o640,
            "items": [{"key": "plain", "path": "plain"}, {"key": "plain", "path": "deep/own-mode", "mode": 0o500}],
        },
    },
    {"name": "secret", "secret": {"secretName": "plain-runtime"}},
    {
        "name": "projected",
        "projected": {
            "sources": [
                {"configMap": {"name": "plain-runtime"}},
                {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            ]
        },
    },
]
MOUNTS: list[dict[str, Any]] = [
    {"name": "empty", "mountPath": "/empty"},
    {"name": "memory", "mountPath": "/memory"},
    {"name": "config", "mountPath": "/config"},
    {"name": "secret", "mountPath": "/secret"},
    {"name": "projected", "mountPath": "/projected"},
    {"name": "empty", "mountPath": "/part", "subPath": "a/part"},
    {"name": "empty", "mountPath": "/file", "subPath": "file"},
    {"name": "config", "mountPath": "/file-of-config", "subPath": "plain"},
]
WRITER = "echo c >/empty/file; mkdir -p /empty/a/part; echo d >/empty/a/part/made"
"""Run by an init container, so that a subPath names a file and a directory that are there."""


class System(base.Pods):
    """The system's namespace, as an administrator uses it."""

    name = NAMESPACE

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 240) -> base.Result:
        """Run kubectl as the administrator, in it."""
        argv = ["kubectl", f"--kubeconfig={self.kubeconfig}", "-n", self.name, *words]
        return base.run(argv, env=base.settings("red"), stdin=stdin, timeout=timeout)


def pod(
    name: str,
    *,
    context: Mapping[str, Any] | None = None,
    container_context: Mapping[str, Any] | None = None,
    commands: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return a pod whose container "main" runs :data:`PROBE` and ends.

    :param context: the pod's security context.
    :param container_context: that of its container.
    :param commands: those of more containers, by their names.
    """
    writer = {**_container("writer", ["sh", "-c", WRITER]), "volumeMounts": MOUNTS[:1]}
    probe = {**_container("main", ["sh", "-c", PROBE]), "volumeMounts": MOUNTS}
    made = base.pod(
        name,
        restartPolicy="Never",
        automountServiceAccountToken=False,
        enableServiceLinks=False,
        securityContext=context or {},
        volumes=VOLUMES,
        initContainers=[writer],
        containers=[
            {**probe, "securityContext": container_context or {}},
            *(_container(word, command) for word, command in (commands or {}).items()),
        ],
    )
    made["metadata"]["labels"] = LABELS
    return made


def _container(name: str, command: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": "busybox",
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}},
    }


@contextlib.contextmanager
def administrator() -> Iterator[Path]:
    """Yield a kubeconfig of an administrator of the cluster, whose certificate is valid for an hour."""
    program = base.LAYOUT.dist / "bin" / "kubeadm"
    made = base.node(
        str(program),
        "kubeconfig",
        "user",
        # Without its configuration kubeadm asks the Internet which version is the newest.
        "--config=/etc/kubernetes/hypernetes/kubeadm.yaml",
        "--client-name=plain-runtime",
        "--org=kubeadm:cluster-admins",
        "--validity-period=1h",
    )
    if made.status:
        raise AssertionError(made.text)
    configuration = yaml.safe_load(made.output)
    # Only nodes know the apiserver's name, unless the operator's DNS has it.
    for one in configuration["clusters"]:
        one["cluster"]["server"] = f"https://{addresses.NODES[base.NODE]}:{nodes.APISERVER_PORT}"
    with tempfile.NamedTemporaryFile("w", prefix="plain-runtime.") as file:
        yaml.safe_dump(configuration, file)
        file.flush()
        yield Path(file.name)


def on_the_node(pods: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same pods for the system's namespace."""
    return [{**made, "spec": {**made["spec"], "hostNetwork": True}} for made in pods]


def facts(output: str) -> dict[str, str]:
    """Read what :data:`PROBE` printed."""
    return dict(line.split("\t", 1) for line in output.splitlines() if "\t" in line)


def ends(pod: Mapping[str, Any]) -> dict[str, str]:
    """Return how each container of a pod ended, by its status: reason, exit code and signal."""
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
    found = {status["name"]: status["state"].get("terminated", {}) for status in statuses}
    return {
        name: f"{end.get('reason')} {end.get('exitCode')} {end.get('signal', '-')} {end.get('message', '')}".strip()
        for name, end in found.items()
    }
