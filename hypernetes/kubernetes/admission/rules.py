# SPDX-License-Identifier: Apache-2.0
"""What a tenant's pod may be, as rules over ``variables.spec`` (a PodSpec) and ``variables.containers`` (all kinds).

Where a field is open-ended the rule is an allow-list, so that what a later Kubernetes adds is refused until it has
been reviewed. The rules hold for pods and, with few differences, for pod templates.
"""

from hypernetes.kubernetes.admission.policy import cel_list
from hypernetes.kubernetes.admission.policy import Rule
from hypernetes.kubernetes.objects import runtime_and_priority
from hypernetes.model import names

VOLUME_SOURCES = (
    "configMap",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
"""Volumes that are copied into the virtual machine or reach it as a block device; any other would be mounted on the
host by kubelet (nfs, iscsi, fc, hostPath, inline CSI, image, …)."""

PROJECTED_SOURCES = ("configMap", "downwardAPI", "secret", "serviceAccountToken", "clusterTrustBundle")

TOLERABLE_TAINTS = (
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unreachable",
)
"""What the DaemonSet controller and the DefaultTolerationSeconds plugin add to tenants' pods."""

CORDONED = "node.kubernetes.io/unschedulable"
"""What only the DaemonSet controller may add: tenants' other pods would return to a node that is being drained."""

DAEMON_SET_CONTROLLER = "system:serviceaccount:kube-system:daemon-set-controller"

COUNTABLE_RESOURCES = ("cpu", "memory", "ephemeral-storage")
"""Extended resources and huge pages are devices of the host."""

PRIVILEGED = Rule(
    "privileged",
    "variables.containers.all(c, !c.?securityContext.?privileged.orValue(false))",
    "privileged containers are not allowed here; add the capabilities that are needed instead.",
)
"""Holds unless the operator allows them: they are root of their own virtual machine."""

_RULES_OF_BOTH = (
    Rule(
        "host-namespaces",
        "!variables.spec.?hostNetwork.orValue(false) && !variables.spec.?hostPID.orValue(false) && "
        "!variables.spec.?hostIPC.orValue(false)",
        "hostNetwork, hostPID and hostIPC are not allowed: a pod shares nothing with its host.",
    ),
    Rule(
        "user-namespaces",
        "variables.spec.?hostUsers.orValue(true) == true",
        "hostUsers: false is not allowed: the virtual machine already separates the pod's users from the host's.",
    ),
    Rule(
        "host-ports",
        "variables.containers.all(c, c.?ports.orValue([]).all(p, "
        'p.?hostPort.orValue(0) == 0 && p.?hostIP.orValue("") == ""))',
        "hostPort and hostIP are not allowed: use a Service.",
    ),
    PRIVILEGED,
    Rule(
        "volumes",
        "variables.spec.?volumes.orValue([]).all(v, "
        + " || ".join(f"has(v.{source})" for source in VOLUME_SOURCES)
        + ") && variables.spec.?volumes.orValue([]).all(v, v.?projected.?sources.orValue([]).all(s, "
        + " || ".join(f"has(s.{source})" for source in PROJECTED_SOURCES)
        + "))",
        f"only these volumes are allowed: {', '.join(VOLUME_SOURCES)}.",
    ),
    Rule(
        "priority-class",
        f'variables.spec.?priorityClassName.orValue("") in {cel_list(("", *runtime_and_priority.PRIORITIES))}',
        f"only these PriorityClasses are allowed: {', '.join(runtime_and_priority.PRIORITIES)}.",
    ),
    Rule(
        "devices",
        "variables.spec.?resourceClaims.orValue([]).size() == 0 && variables.containers.all(c, "
        "c.?volumeDevices.orValue([]).size() == 0 && c.?resources.?claims.orValue([]).size() == 0 && "
        f"c.?resources.?limits.orValue({{}}).all(r, r in {cel_list(COUNTABLE_RESOURCES)}) && "
        f"c.?resources.?requests.orValue({{}}).all(r, r in {cel_list(COUNTABLE_RESOURCES)})) && "
        f"variables.spec.?resources.?limits.orValue({{}}).all(r, r in {cel_list(COUNTABLE_RESOURCES)}) && "
        f"variables.spec.?resources.?requests.orValue({{}}).all(r, r in {cel_list(COUNTABLE_RESOURCES)})",
        "devices, resource claims, raw block volumes and resources other than "
        f"{', '.join(COUNTABLE_RESOURCES)} are not allowed.",
    ),
    Rule(
        "tcp-hooks",
        "variables.containers.all(c, [c.?lifecycle.?postStart, c.?lifecycle.?preStop].all(h, "
        "!h.?tcpSocket.hasValue()))",
        "TCP hooks are not allowed: Kubernetes does not run them; use an exec, HTTP or sleep hook.",
    ),
    Rule(
        "mount-propagation",
        "variables.containers.all(c, c.?volumeMounts.orValue([]).all(m, "
        'm.?mountPropagation.orValue("None") == "None"))',
        "mountPropagation is not allowed: no mount is shared between a pod and its host.",
    ),
    Rule(
        "host-profiles",
        "([variables.spec.?securityContext] + variables.containers.map(c, c.?securityContext)).all(s, "
        's.?seccompProfile.?type.orValue("") != "Localhost" && s.?appArmorProfile.?type.orValue("") != "Localhost")',
        "Localhost seccomp and AppArmor profiles are not allowed: they are files of the host.",
    ),
    Rule(
        # A required anti-affinity to another tenant's pods would keep that tenant's new pods off the node.
        "foreign-affinity",
        "[variables.spec.?affinity.?podAffinity, variables.spec.?affinity.?podAntiAffinity].all(a, "
        "(a.?requiredDuringSchedulingIgnoredDuringExecution.orValue([]).map(t, t) + "
        "a.?preferredDuringSchedulingIgnoredDuringExecution.orValue([]).map(t, t.podAffinityTerm)).all(t, "
        "!has(t.namespaceSelector) && t.?namespaces.orValue([]).all(n, n == request.namespace)))",
        "affinity to pods of other namespaces is not allowed: leave namespaces and namespaceSelector out.",
    ),
)

_OTHER_RUNTIME = (
    f"no runtimeClassName but {names.RUNTIME_CLASS} is allowed: tenants' pods run in virtual machines. "
    "Leave it out or correct it."
)

_TOLERABLE = f't.?key.orValue("") in {cel_list(TOLERABLE_TAINTS)}'
# A later change of the pod, by whomever, finds what the controller has put there.
_OF_DAEMON_SETS = (
    f't.?key.orValue("") == "{CORDONED}" && (request.userInfo.username == "{DAEMON_SET_CONTROLLER}" || '
    'request.operation == "UPDATE" && oldObject.spec.?tolerations.orValue([]).exists(o, o == t))'
)
_UNTOLERABLE = (
    "only taints that Kubernetes itself sets under node.kubernetes.io/ may be tolerated; "
    "control nodes, cordoned nodes and bare Exists may not."
)

FOR_PODS = (
    Rule(
        # Absent is refused too: the mutating policy has set it, unless that policy was removed.
        "runtime-class",
        f'variables.spec.?runtimeClassName.orValue("") == "{names.RUNTIME_CLASS}"',
        _OTHER_RUNTIME,
    ),
    Rule(
        # On UPDATE it is legitimate: the scheduler has bound the pod, and the apiserver does not allow a change.
        # Mirror pods need a nodeName, so they are refused here as well.
        "node-name",
        'request.operation == "UPDATE" || variables.spec.?nodeName.orValue("") == ""',
        "nodeName is not allowed: the scheduler chooses the node; use nodeSelector or affinity.",
    ),
    Rule(
        "tolerations",
        f"variables.spec.?tolerations.orValue([]).all(t, {_TOLERABLE} || {_OF_DAEMON_SETS})",
        _UNTOLERABLE,
    ),
    *_RULES_OF_BOTH,
    Rule(
        # The mutating policy has turned them, unless it was removed or there is a second handler.
        "probes",
        "variables.containers.all(c, [c.?livenessProbe, c.?readinessProbe, c.?startupProbe, c.?lifecycle.?postStart, "
        "c.?lifecycle.?preStop].all(p, !p.?httpGet.hasValue() && !p.?tcpSocket.hasValue() && !p.?grpc.hasValue()))",
        "this probe or hook has more than one handler, or was not turned into one that runs inside the virtual "
        "machine: nothing on the host may dial a pod's address, which another tenant may have too.",
    ),
)
"""The rules of pods themselves, whether a user or a controller creates them."""

FOR_TEMPLATES = (
    Rule(
        "runtime-class",
        f'variables.spec.?runtimeClassName.orValue("{names.RUNTIME_CLASS}") == "{names.RUNTIME_CLASS}"',
        _OTHER_RUNTIME,
    ),
    Rule(
        "node-name",
        'variables.spec.?nodeName.orValue("") == ""',
        "nodeName is not allowed: the scheduler chooses the node; use nodeSelector or affinity.",
    ),
    Rule("tolerations", f"variables.spec.?tolerations.orValue([]).all(t, {_TOLERABLE})", _UNTOLERABLE),
    *_RULES_OF_BOTH,
)
"""The rules of pod templates, so that a refusal reaches the template's author and not only a controller's event."""
