# SPDX-License-Identifier: Apache-2.0
"""Turns HTTP, TCP and gRPC probes and HTTP hooks of pods into execs of a reserved path that hyper-guest answers.

The kubelet would dial the pod's address from its node, where another tenant's pod may have the same one. hyper-guest
dials it inside the pod's own virtual machine, and answers with the kubelet's words (``runtime/internal/guest/probe``).
What a probe was is kept in an annotation. Templates stay as they are: only pods are probed.

A client that applies its manifest again adds the original handler beside the exec, so updates are turned as well, to
what the pod already has. A handler beside an exec of the user's own, or beside another handler, is left for the
apiserver to refuse.
"""

from lightkube.core import resource

from hypernetes.kubernetes.admission import policy
from hypernetes.model import labels

RESERVED_PATH = "/.hypernetes/probe"
"""The command that is answered by hyper-guest; ``probePath`` in ``runtime/internal/task/probe.go``."""

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def _places(kind: str, fields: tuple[str, ...], *, hook: bool) -> str:
    """Return CEL of a list of maps: the probes, or hooks, at one field of all containers of a kind."""
    return (
        f"object.spec.?{kind}.orValue([]).transformList(i, c, c.?{'.?'.join(fields)}.hasValue(), {{"
        f'"path": dyn("/spec/{kind}/" + string(i) + "/{"/".join(fields)}"), '
        f'"name": dyn(c.name + " {fields[-1]}"), "container": dyn(c), "of": dyn(c.{".".join(fields)}), '
        f'"hook": dyn({str(hook).lower()})}})'
    )


_ALL_PLACES = " + ".join(
    places
    for kind in ("containers", "initContainers")
    for places in (
        *(_places(kind, (field,), hook=False) for field in _PROBES),
        *(_places(kind, ("lifecycle", field), hook=True) for field in _HOOKS),
    )
)

_HANDLERS = '["httpGet", "tcpSocket", "grpc"].filter(h, h in x.of)'

# A TCP hook is no feature of the kubelet.
_HANDLED = (
    f'variables.places.filter(x, {_HANDLERS}.size() == 1 && (!x.hook || "httpGet" in x.of) && '
    f'(!("exec" in x.of) || x.of.exec.?command[?0].orValue("") == "{RESERVED_PATH}"))'
    f'.map(x, {{"place": dyn(x), "handler": dyn({_HANDLERS}[0]), "action": dyn(x.of[{_HANDLERS}[0]])}})'
)

_PORT = (
    "((type(x.action.port) == int ? [] : x.place.container.?ports.orValue([])"
    '.filter(n, n.?name.orValue("") == x.action.port).map(n, string(n.containerPort))) + [string(x.action.port)])[0]'
)
_OPTIONS = (
    '(x.place.hook ? [] : ["--timeout=" + string(x.place.of.?timeoutSeconds.orValue(1))]) + '
    f'["--host=" + x.action.?host.orValue(""), "--port=" + {_PORT}]'
)
_COMMAND = (
    'x.handler == "httpGet" ? [x.place.hook ? "hook" : "http"] + ' + _OPTIONS + " + "
    '["--scheme=" + x.action.?scheme.orValue("HTTP"), "--path=" + x.action.?path.orValue("/")] + '
    'x.action.?httpHeaders.orValue([]).map(h, "--header=" + h.name + ": " + h.?value.orValue("")) : '
    'x.handler == "tcpSocket" ? ["tcp"] + ' + _OPTIONS + " : "
    '["grpc"] + ' + _OPTIONS + ' + ["--service=" + x.action.?service.orValue("")]'
)

# As kubectl describes them.
_WORDS = (
    'x.handler == "httpGet" ? "http-get " + x.action.?scheme.orValue("HTTP").lowerAscii() + "://" + '
    'x.action.?host.orValue("") + ":" + string(x.action.port) + x.action.?path.orValue("/") : '
    'x.handler == "tcpSocket" ? "tcp-socket " + x.action.?host.orValue("") + ":" + string(x.action.port) : '
    '"grpc :" + string(x.action.port) + " " + x.action.?service.orValue("")'
)

# The kubelet expands $(NAME) in the commands of probes, but not in those of hooks.
_FOUND = (
    'variables.handled.map(x, {"path": dyn(x.place.path), "handler": dyn(x.handler), '
    f'"name": dyn(x.place.name), "words": dyn(x.place.name + ": " + ({_WORDS})), '
    f'"command": dyn(["{RESERVED_PATH}"] + ({_COMMAND}).map(w, x.place.hook ? w : w.replace("$", "$$")))}})'
)

# A client that changes one container sends its handlers alone: the words of the others stay.
_ANNOTATION = (
    f'(object.metadata.?annotations[?"{labels.PROBES_ANNOTATION}"].orValue("").split("\\n")'
    '.filter(l, l != "" && !variables.found.exists(f, l.startsWith(f.name + ": "))) + '
    'variables.found.map(f, f.words)).join("\\n")'
)

_VARIABLES = (
    ("places", _ALL_PLACES),
    ("handled", _HANDLED),
    ("found", _FOUND),
    ("words", _ANNOTATION),
)

_ANNOTATION_PATH = f'"/metadata/annotations/" + jsonpatch.escapeKey("{labels.PROBES_ANNOTATION}")'

_PATCH = (
    "variables.found.size() == 0 ? [] : "
    'variables.found.map(f, JSONPatch{op: "remove", path: f.path + "/" + f.handler}) + '
    'variables.found.map(f, JSONPatch{op: "add", path: f.path + "/exec", value: {"command": f.command}}) + '
    "(has(object.metadata.annotations) "
    f'? [JSONPatch{{op: "add", path: {_ANNOTATION_PATH}, value: variables.words}}] '
    ': [JSONPatch{op: "add", path: "/metadata/annotations", '
    f'value: {{"{labels.PROBES_ANNOTATION}": variables.words}}}}])'
)


def policies() -> list[resource.Resource]:
    """Return the policy that turns probes and hooks."""
    return [
        *policy.mutating(
            "hypernetes-probes",
            (policy.Target("", ("pods",)),),
            policy.patch(_PATCH),
            variables=_VARIABLES,
        )
    ]
