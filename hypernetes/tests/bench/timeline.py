# SPDX-License-Identifier: Apache-2.0
"""Where the time of a pod's start goes, by what containerd and the agent log."""

import re
import statistics
from collections.abc import Sequence
from datetime import datetime
from datetime import UTC

from hypernetes.tests.isolation import base

_TIME = re.compile(r'^time="(?P<time>[^"]+)"')
PHASES = ("kubelet", "port", "machine", "sandbox", "container created", "container started", "seen")
"""From the pod's POST to the RunPodSandbox call; to the agent's answer; to a configured guest; to containerd's
answer; to that of CreateContainer; to that of StartContainer; to the watch that shows the container running."""


def _log(name: str) -> list[str]:
    path = base.LAYOUT.node(base.NODE) / "log" / "hypernetes" / name
    return path.read_text(errors="replace").splitlines()[-4000:]


def _seconds(line: str) -> float:
    found = _TIME.match(line)
    if found:
        whole, _, rest = found["time"].rstrip("Z").partition(".")
        return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{rest or 0}")
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()


def _first(lines: Sequence[str], *words: str, after: float = 0.0) -> float:
    for line in lines:
        if all(word in line for word in words) and _seconds(line) >= after:
            return _seconds(line)
    raise AssertionError(f"no line with {words}")


def port_of(uid: str) -> tuple[str, float]:
    """Return a pod's Neutron port, and how long the agent took to answer the CNI plugin about it.

    :raises AssertionError: when its log does not say.
    """
    answer = next(line for line in _log("containerd.log") if "returns sandbox id" in line and uid in line)
    sandbox = re.findall(r"[0-9a-f]{64}", answer)[-1]
    for line in _log("hypernetes-agent.log"):
        found = re.search(rf"Sandbox {sandbox} has port (\S+) after (\S+) s", line)
        if found:
            return found[1], float(found[2])
    raise AssertionError(f"the agent's log does not say when sandbox {sandbox} got its port")


def of(uid: str, posted: float, running: float) -> dict[str, float]:
    """Return the seconds of each phase of a pod's start.

    :param posted: when the pod was sent, in seconds since the epoch.
    :param running: when its container was seen to run.
    """
    containerd, agent = _log("containerd.log"), _log("hypernetes-agent.log")
    called = _first(containerd, "RunPodSandbox for", uid)
    answer = next(line for line in containerd if "returns sandbox id" in line and uid in line)
    sandbox = re.findall(r"[0-9a-f]{64}", answer)[-1]
    plugged = _first(agent, f"Sandbox {sandbox} has port")
    ready = _first(containerd, "the pod's machine is ready", after=plugged)
    created = next(line for line in containerd if sandbox in line and "returns container id" in line)
    container = re.findall(r"[0-9a-f]{64}", created)[-1]
    started = _first(containerd, "StartContainer for", container, "returns successfully")
    moments = (posted, called, plugged, ready, _seconds(answer), _seconds(created), started, running)
    return {name: end - begin for name, begin, end in zip(PHASES, moments, moments[1:], strict=False)}


def medians(timelines: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each phase."""
    return {name: round(statistics.median(one[name] for one in timelines), 3) for name in PHASES}
