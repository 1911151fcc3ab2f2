# SPDX-License-Identifier: Apache-2.0
"""The table at the end of ``up``: what was promised, measured just now, each refusal beside what is allowed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hypernetes.standalone import client
from hypernetes.standalone import machine
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import demonstration
from hypernetes.standalone.components import tenants
from hypernetes.standalone.installation import Installation

PORT = 8080


@dataclass(frozen=True, slots=True)
class Line:
    """One statement, whether it holds, and what was seen."""

    statement: str
    holds: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A demonstration pod as it describes itself from inside."""

    user: str
    name: str
    address: str
    kernel: str
    boot_id: str


def render(lines: list[Line]) -> str:
    """Render the table as text."""
    width = max(len(line.statement) for line in lines)
    rows = [f"  {'ok  ' if line.holds else 'FAIL'}  {line.statement:<{width}}  {line.seen}" for line in lines]
    return "\n".join(["", "Evidence, measured now:", *rows, "", ""])


def start(installation: Installation) -> None:
    """Measure and show the evidence.

    :raises StandaloneError: when a line does not hold.
    """
    pods = _look(installation)
    checks: list[Callable[[], Line]] = [
        lambda: kernels(pods, os.uname().release),
        lambda: own_machines(pods),
        lambda: equal_addresses(pods),
        *(lambda user=user: reachable(installation, pods, user) for user in tenants.TENANTS),
        lambda: unreachable(installation, pods, "red", "blue"),
        lambda: unreachable(installation, pods, "blue", "red"),
        lambda: foreign_namespace(installation),
        lambda: foreign_record(installation),
        lambda: runc_refused(installation),
    ]
    with ThreadPoolExecutor(4) as at_once:
        lines = list(at_once.map(_measured, checks))
    installation.say(render(lines))
    failed = [line.statement for line in lines if not line.holds]
    if failed:
        raise machine.StandaloneError(f"evidence does not hold: {'; '.join(failed)}")


def _measured(check: Callable[[], Line]) -> Line:
    """Run a check; one that raises has failed."""
    try:
        return check()
    except (machine.StandaloneError, OSError, ValueError, KeyError) as error:
        return Line("a measurement", False, str(error)[:300])


def _look(installation: Installation) -> list[Pod]:
    def show(place: tuple[str, str, str]) -> Pod:
        user, address, name = place
        shown = json.loads(execute(installation, user, name, "demo", "show"))
        return Pod(user, name, address, shown["kernel"], shown["boot_id"])

    places = [
        (user, address, name)
        for user in tenants.TENANTS
        for address, name in demonstration.addresses_of(installation, user).items()
    ]
    with ThreadPoolExecutor(4) as at_once:
        return list(at_once.map(show, places))


def execute(installation: Installation, user: str, pod: str, *words: str) -> str:
    """Run a command in one of the user's pods and return its output."""
    return client.kubectl(installation, user, "-n", user, "exec", pod, "--", *words)


def kernels(pods: list[Pod], host: str) -> Line:
    """Compare every pod's kernel with the host's."""
    theirs = sorted({pod.kernel for pod in pods})
    expected = len(tenants.TENANTS) * len(demonstration.PODS)
    return Line(
        "every pod runs a kernel that is not the host's",
        len(pods) == expected and host not in theirs,
        f"{len(pods)} pods: {', '.join(theirs)}; host: {host}",
    )


def own_machines(pods: list[Pod]) -> Line:
    """Compare the boot IDs: a kernel generates one when it boots, so equal ones would mean one machine."""
    ids = {pod.boot_id for pod in pods}
    return Line("each pod is a machine of its own", len(ids) == len(pods) > 0, f"{len(ids)} different boot ids")


def equal_addresses(pods: list[Pod]) -> Line:
    """Check that both tenants use the same addresses at the same time."""
    by_user = {user: sorted(pod.address for pod in pods if pod.user == user) for user in tenants.TENANTS}
    same = len({tuple(found) for found in by_user.values()}) == 1
    seen = "; ".join(f"{user}: {', '.join(found)}" for user, found in by_user.items())
    return Line("red and blue use the same addresses", same and bool(pods), seen)


def reachable(installation: Installation, pods: list[Pod], user: str) -> Line:
    """Check that within a tenant each pod answers at its address, and that it is that pod."""
    own = [pod for pod in pods if pod.user == user]
    answered = [
        f"{asker.name}→{asked.name}"
        for asker in own
        for asked in own
        if asker != asked and fetch(installation, asker, asked.address).get("boot_id") == asked.boot_id
    ]
    wanted = len(own) * (len(own) - 1)
    return Line(f"{user} reaches {user}", len(answered) == wanted > 0, ", ".join(answered) or "no answer")


def unreachable(installation: Installation, pods: list[Pod], user: str, other: str) -> Line:
    """Check that the other tenant's pods never answer at their addresses."""
    asker = next(pod for pod in pods if pod.user == user)
    theirs = [pod for pod in pods if pod.user == other]
    foreign = {pod.boot_id for pod in theirs}
    answers = [fetch(installation, asker, pod.address).get("boot_id") for pod in theirs if pod.address != asker.address]
    crossed = [answer for answer in answers if answer in foreign]
    seen = f"{len(answers)} asked, {len(crossed)} answered by {other}"
    return Line(f"{user} does not reach {other} at the same address", not crossed and bool(answers), seen)


def fetch(installation: Installation, asker: Pod, address: str) -> Mapping[str, str]:
    """Return what a server says about itself, asked from a pod; empty without an answer."""
    try:
        answer = execute(
            installation, asker.user, asker.name, "demo", "get", "--timeout", "4s", f"http://{address}:{PORT}/"
        )
        return dict(json.loads(answer))
    except (machine.CommandFailed, ValueError):
        return {}


def foreign_namespace(installation: Installation) -> Line:
    """Check that red is refused in blue's namespace, and served in its own."""
    own = client.kubectl_succeeds(installation, "red", "-n", "red", "get", "pods")
    refusal = _refusal(installation, "red", "-n", "blue", "get", "pods")
    return Line("red is refused in blue's namespace", own and "Forbidden" in refusal, refusal or "not refused")


def foreign_record(installation: Installation) -> Line:
    """Check that the API does not reveal the existence of blue's namespace to red."""
    theirs = Api(installation, "blue").find("namespaces", "blue")
    path = f"/v1/namespaces/{theirs['id']}" if theirs else ""
    status, _ = Api(installation, "red").request("GET", path)
    own, _ = Api(installation, "blue").request("GET", path)
    return Line("the API hides blue's namespace from red", (status, own) == (404, 200), f"red {status}, blue {own}")


def runc_refused(installation: Installation) -> Line:
    """Check that a tenant cannot run a pod without a virtual machine."""
    manifest = demonstration.pod("runc")
    manifest["spec"]["runtimeClassName"] = "runc"
    refusal = _refusal(
        installation, "red", "-n", "red", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest)
    )
    given = client.kubectl(
        installation, "red", "-n", "red", "get", "pod", demonstration.PODS[0], "-o", "jsonpath={.spec.runtimeClassName}"
    )
    return Line("a pod under runc is refused", bool(refusal) and given == "hyper", refusal or "not refused")


def _refusal(installation: Installation, user: str, *words: str, stdin: str | None = None) -> str:
    """Return the message with which a command is refused, on one line; empty when it is not refused."""
    try:
        client.kubectl(installation, user, *words, stdin=stdin)
    except machine.CommandFailed as error:
        return " ".join(str(error).partition("ended with status")[2].partition(":")[2].split())[:200]
    return ""


COMPONENT = Component(name="evidence", summary="measured evidence", needs=("demonstration",), start=start, timeout=180)
