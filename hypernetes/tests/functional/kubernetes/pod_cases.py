# SPDX-License-Identifier: Apache-2.0
"""Pods that tenants may create, and those that a rule refuses; each is a change to an ordinary one."""

from typing import Any

from hypernetes.model import names

TCP_SOCKET = {"tcpSocket": {"port": 80}}

ELSEWHERE = (
    "198.51.100.1:11211/a/b:1",
    "198.51.100.1/a",
    "127.1/a",
    "0x7f.1/a",
    "127.0x1/a",
    "2130706433:80/a",
    "[::1]/a",
    "localhost/a",
    "LOCALHOST/a",
    "a.localhost/a",
    "node1.local/a",
    "node1:2379/a",
    "registry.example:5000/a",
    "REGISTRY.example:5000/a@sha256:" + "0" * 64,
)
"""Images whose registry would be an address or a port of the operator's choice of networks, not a public registry."""

ANYWHERE = (
    "busybox",
    "library/busybox:1.37",
    "quay.io/org/app@sha256:" + "0" * 64,
    "registry.example/a/b/c:1",
    "xn--mnchen-3ya.example/a",
    "1password/connect",
    "a_b/c",
)


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "data", **source}]}


def _affinity(kind: str, **term: Any) -> dict[str, Any]:
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname", **term}]}
    return {"affinity": {kind: terms}}


REFUSED: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "runtime-class": (("runc", {"runtimeClassName": "runc"}),),
    "host-namespaces": (
        ("hostNetwork", {"hostNetwork": True}),
        ("hostPID", {"hostPID": True}),
        ("hostIPC", {"hostIPC": True}),
    ),
    "user-namespaces": (("hostUsers", {"hostUsers": False}),),
    "host-ports": (("hostPort", {"container": {"ports": [{"containerPort": 80, "hostPort": 80}]}}),),
    "privileged": (
        ("container", {"container": {"securityContext": {"privileged": True}}}),
        (
            "init container",
            {"initContainers": [{"name": "i", "image": "i", "securityContext": {"privileged": True}}]},
        ),
    ),
    "volumes": (
        ("hostPath", _volume(hostPath={"path": "/"})),
        ("nfs", _volume(nfs={"server": "192.0.2.1", "path": "/"})),
        ("iscsi", _volume(iscsi={"targetPortal": "192.0.2.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0})),
        ("fc", _volume(fc={"targetWWNs": ["50060e801049cfd1"], "lun": 0})),
        ("inline CSI", _volume(csi={"driver": "example.com"})),
        ("image", _volume(image={"reference": "busybox"})),
    ),
    "priority-class": (("node-critical", {"priorityClassName": "system-node-critical"}),),
    "node-name": (("nodeName", {"nodeName": "node1"}),),
    "tolerations": (
        ("bare Exists", {"tolerations": [{"operator": "Exists"}]}),
        ("cordoned", {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}),
        ("control plane", {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}),
    ),
    "devices": (
        ("extended resource", {"container": {"resources": {"limits": {"example.com/gpu": "1"}}}}),
        ("huge pages", {"container": {"resources": {"limits": {"hugepages-2Mi": "2Mi", "memory": "64Mi"}}}}),
        ("resource claim", {"resourceClaims": [{"name": "c", "resourceClaimName": "c"}]}),
    ),
    "tcp-hooks": (
        ("postStart", {"container": {"lifecycle": {"postStart": TCP_SOCKET}}}),
        ("preStop", {"container": {"lifecycle": {"preStop": TCP_SOCKET}}}),
    ),
    "mount-propagation": (
        (
            "host to container",
            {
                **_volume(emptyDir={}),
                "container": {
                    "volumeMounts": [{"name": "data", "mountPath": "/d", "mountPropagation": "HostToContainer"}]
                },
            },
        ),
    ),
    "host-profiles": (
        (
            "seccomp",
            {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}},
        ),
    ),
    "image-registries": (
        *((image, {"container": {"image": image}}) for image in ELSEWHERE),
        ("init container", {"initContainers": [{"name": "i", "image": "localhost/i"}]}),
        ("sidecar", {"initContainers": [{"name": "i", "image": "[::1]:80/i", "restartPolicy": "Always"}]}),
    ),
    "image-ids": (("id", {"container": {"image": f"sha256:{'0' * 64}"}}),),
    "foreign-affinity": (
        ("all namespaces", _affinity("podAntiAffinity", namespaceSelector={})),
        ("a neighbour's", _affinity("podAffinity", namespaces=["blue-one"])),
    ),
}
"""Rule → what it refuses, each as a change to an ordinary pod."""

ALLOWED: dict[str, dict[str, Any]] = {
    **{f"image {number}": {"container": {"image": image}} for number, image in enumerate(ANYWHERE)},
    "ordinary": {},
    "hyper by name": {"runtimeClassName": names.RUNTIME_CLASS},
    "HTTP probe": {"container": {"livenessProbe": {"httpGet": {"port": 80}}}},
    "exec probe": {"container": {"livenessProbe": {"exec": {"command": ["true"]}}}},
    "sleep hook": {"container": {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}},
    "emptyDir": _volume(emptyDir={}),
    "configMap": _volume(configMap={"name": "c", "optional": True}),
    "secret": _volume(secret={"secretName": "c", "optional": True}),
    "capabilities": {"container": {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}},
    "tenants' priority class": {"priorityClassName": "hypernetes-low"},
    "limits": {"container": {"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}},
    "own affinity": _affinity("podAntiAffinity", labelSelector={"matchLabels": {"app": "a"}}),
    "toleration of a slow node": {
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
    },
}
