# SPDX-License-Identifier: Apache-2.0
"""The base of the isolation tests: the running deployment, seen by its users and by root on the node."""

import abc
import json
import subprocess
import time
import unittest
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from typing import TypeVar

import openstack
import requests

from hypernetes.standalone import addresses
from hypernetes.standalone import nodes
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

LAYOUT = Layout.from_environment()
QUICKSTART = LAYOUT.repository / "tools" / "quickstart"
CLUSTER = "demo"
NODE = next(iter(addresses.NODES))
POD_START_SECONDS = 180
"""How long a pod may take to start: the machine is small and QEMU emulates the processor."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    status: int
    output: str
    error: str

    @property
    def text(self) -> str:
        """Both outputs, for looking for a message."""
        return self.output + self.error


@cache
def settings(who: str) -> Mapping[str, str]:
    """The environment that ``tools/quickstart env WHO`` gives a shell."""
    script = f'eval "$("{QUICKSTART}" env {who})" && env -0'
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=120, check=True)
    pairs = (line.partition("=") for line in done.stdout.decode().split("\0") if line)
    # Otherwise the tokens of the tests' own users would stay below the home directory.
    return {name: value for name, _, value in pairs} | {"XDG_CACHE_HOME": str(LAYOUT.clients / "cache")}


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 120,
) -> Result:
    """Run a command to its end, whatever its status."""
    done = subprocess.run(
        argv, env=env, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def kubectl(who: str, *words: str, stdin: str | None = None, timeout: float = 240) -> Result:
    """Run kubectl as one of the stack's users."""
    return run(["kubectl", *words], env=settings(who), stdin=stdin, timeout=timeout)


def kubectl_json(who: str, *words: str) -> Any:
    """Run kubectl as a user and read the answer; a refusal is an error."""
    done = kubectl(who, *words, "-o", "json")
    if done.status:
        raise AssertionError(f"kubectl {' '.join(words)} as {who}: {done.text}")
    return json.loads(done.output)


def node(*words: str, timeout: float = 120) -> Result:
    """Run a command as root on the node, inside its namespaces."""
    return run(
        [
            "nsenter",
            f"--net=/run/netns/{node_netns()}",
            f"--mount={node_mount_namespace()}",
            "--",
            *words,
        ],
        timeout=timeout,
    )


def node_netns() -> str:
    """Name of the node's network namespace."""
    return f"hypernetes-{NODE}"


def node_mount_namespace() -> Path:
    """The file that keeps the node's mount namespace."""
    return nodes.mount_namespace(Installation(LAYOUT), nodes.Node(NODE))


@cache
def cloud(who: str) -> Any:
    """An openstacksdk connection as one of the stack's users; untyped, since its proxies are unions of versions."""
    env = settings(who)
    names = {name[3:].lower(): value for name, value in env.items() if name.startswith("OS_")}
    return openstack.connect(
        auth_type="password",
        load_envvars=False,
        load_yaml_config=False,
        region_name=names.get("region_name"),
        identity_api_version="3",
        cacert=names.get("cacert"),
        auth={
            key: names[key]
            for key in ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
        },
    )


def eventually(ask: Callable[[], T | None], what: str, *, timeout: float, interval: float = 0.5) -> T:
    """The first answer that is not None or False; an error that names ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout:.0f} s")
        time.sleep(interval)


def rest(who: str, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
    """A request to the Hypernetes API as a user; the response, whatever its status."""
    session = cloud(who).session
    headers = {"X-Auth-Token": token} if token is not None else None
    return session.request(
        addresses.API_URL + path,
        method,
        json=body,
        headers=headers,
        authenticated=token is None,
        raise_exc=False,
        timeout=60,
    )


def password_token(user_id: str, password: str, project_id: str) -> str:
    """A token of a user that a test has made."""
    identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}}
    body = {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
    answer = requests.post(f"{addresses.KEYSTONE_URL}/auth/tokens", json=body, timeout=30)
    answer.raise_for_status()
    return answer.headers["X-Subject-Token"]


class Pods(abc.ABC):
    """A namespace as kubectl sees it."""

    name: str

    @abc.abstractmethod
    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 240) -> Result:
        """Run kubectl in it."""

    def get(self, *words: str) -> Any:
        """Run ``kubectl get`` in it and read the answer; a refusal is an error."""
        done = self.kubectl("get", *words, "-o", "json")
        if done.status:
            raise AssertionError(f"kubectl get {' '.join(words)} in {self.name}: {done.text}")
        return json.loads(done.output)

    def start_pod(self, name: str, *, address: str | None = None, **spec: Any) -> None:
        """Ask for a pod of the demo image; it serves HTTP on port 8080."""
        created = self.kubectl("create", "-f", "-", stdin=json.dumps(pod(name, address=address, **spec)))
        if created.status:
            raise AssertionError(f"pod {name}: {created.text}")

    def wait_running(self, *names: str, timeout: float = POD_START_SECONDS) -> None:
        """Wait until pods are ready."""
        done = self.kubectl(
            "wait",
            "--for=condition=Ready",
            f"--timeout={timeout:.0f}s",
            *(f"pod/{name}" for name in names),
            timeout=timeout + 30,
        )
        if done.status:
            raise AssertionError(f"{names}: {done.text}\n{self.kubectl('describe', 'pods').output[-3000:]}")

    def exec(self, pod_name: str, *words: str, timeout: float = 120) -> Result:
        """Run a command in a pod."""
        return self.kubectl("exec", pod_name, "--", *words, timeout=timeout)

    def address(self, pod_name: str) -> str:
        """The pod's address."""
        return str(self.get("pod", pod_name)["status"]["podIP"])

    def uid(self, pod_name: str) -> str:
        """The pod's uid."""
        return str(self.get("pod", pod_name)["metadata"]["uid"])


class Namespace(Pods):
    """A tenant's namespace for the length of a test class."""

    def __init__(self, who: str, prefix: str, *, cidr: str | None = None, network_id: str | None = None) -> None:
        self.who = who
        self.name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        body = {"name": self.name, "cluster": CLUSTER}
        if cidr:
            body["subnet_cidr"] = cidr
        if network_id:
            body["network_id"] = network_id
        answer = rest(who, "POST", "/v1/namespaces", body)
        if answer.status_code != 202:
            raise AssertionError(f"namespace {self.name}: {answer.status_code} {answer.text}")
        self.id: str = answer.json()["id"]

    def record(self) -> Any:
        """What the API says of it now."""
        return rest(self.who, "GET", f"/v1/namespaces/{self.id}").json()

    def wait_active(self, timeout: float = 120) -> "Namespace":
        """Wait until it can be used."""

        def active() -> bool:
            record = self.record()
            if record["status"] == "ERROR":
                raise AssertionError(f"namespace {self.name}: {record['status_reason']}")
            return bool(record["status"] == "ACTIVE")

        eventually(active, f"namespace {self.name} ACTIVE", timeout=timeout)
        return self

    def delete(self, timeout: float = 240) -> None:
        """Delete it and wait until it is gone."""
        # A refusal would be waited for in vain.
        eventually(
            lambda: rest(self.who, "DELETE", f"/v1/namespaces/{self.id}").status_code in (202, 404),
            f"deletion of namespace {self.name} accepted",
            timeout=60,
        )
        eventually(
            lambda: rest(self.who, "GET", f"/v1/namespaces/{self.id}").status_code == 404,
            f"namespace {self.name} gone",
            timeout=timeout,
        )

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 240) -> Result:
        """kubectl as its owner, in it."""
        return kubectl(self.who, "-n", self.name, *words, stdin=stdin, timeout=timeout)


def pod(name: str, *, address: str | None = None, image: str = "busybox", **spec: Any) -> dict[str, Any]:
    """A plain pod, as a tenant would write it."""
    command = spec.pop("command", ["sleep", "1000000"])
    metadata: dict[str, Any] = {"name": name}
    if address:
        metadata["annotations"] = {"hypernetes.openstack.org/ip-address": address}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": image, "command": command, "imagePullPolicy": "IfNotPresent"}],
            **spec,
        },
    }


class IsolationTest(unittest.TestCase):
    """Base of the tests: fails at once, and says what to do, where no stack lives."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        answer = rest("admin", "GET", "/v1/clusters")
        clusters = {c["name"]: c["status"] for c in answer.json().get("clusters", [])}
        if clusters.get(CLUSTER) != "ACTIVE":
            raise AssertionError(f"no ACTIVE cluster {CLUSTER} ({clusters}): run tools/quickstart first")

    @classmethod
    def namespace(cls, who: str, prefix: str, *, cidr: str | None = None) -> Namespace:
        """A namespace that goes away with the class."""
        made = Namespace(who, prefix, cidr=cidr)
        cls.addClassCleanup(made.delete)
        return made


def processes() -> Iterator[Path]:
    """The /proc directories of all processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield entry


def command_line(process: Path) -> list[str]:
    """A process' arguments; empty when it is gone or of the kernel."""
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []
