# SPDX-License-Identifier: Apache-2.0
"""The ports that can be reached without a credential, and those that nodes can reach."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import ssl
import statistics
import struct
import threading
import time
import urllib.parse
import uuid
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterator
from typing import ClassVar

import requests

from hypernetes.standalone import addresses
from hypernetes.standalone import cgroups
from hypernetes.standalone import nodes
from hypernetes.tests.isolation import base

SLOW_CLIENTS = 64
FORGERS = 400
SECONDS = 20.0
"""Duration of each attack."""
LOGIN_SECONDS = 1.0
"""A login while tokens are forged, of 99 in 100, where one takes 40 ms otherwise."""
LOGIN_RATIO = 25
"""The same on a slower machine: 64 tokens wait before a new one, and Keystone validates four at a time."""
ATTACKER = "198.51.100.77"
"""Address of all attackers: the limits of connections are for each source."""

DOCUMENTED = {
    addresses.KEYSTONE_PORT: "Keystone, a public API",
    addresses.NEUTRON_PORT: "Neutron, a public API",
    addresses.API_PORT: "the Hypernetes API, where agents enroll",
    addresses.WEBHOOK_PORT: "the webhook, for apiservers with a client certificate",
    addresses.RABBITMQ_PORT: "RabbitMQ, with the node's own user",
    addresses.OVN_SOUTHBOUND_PORT: "OVN's southbound database, with the chassis' certificate",
    addresses.REGISTRY_PORT: "the image registry, read-only",
    addresses.HORIZON_PORT: "Horizon, if it was started: a public page",
    addresses.CINDER_PORT: "Cinder, if it was started: a public API",
    **dict.fromkeys(
        (addresses.CEPH_MONITOR_PORT, *addresses.CEPH_DAEMON_PORTS), "Ceph, if it was started, with a client's key"
    ),
}
"""What nodes reach, as doc/source/admin/compromised-node.rst lists it."""

# Python of the host, which the node shares: all ports of one address, a few hundred at a time.
SCAN = """
import asyncio, json, sys
async def scan(address):
    found, gate = [], asyncio.Semaphore(500)
    async def look(port):
        async with gate:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 10)
            except (OSError, asyncio.TimeoutError):
                return
            found.append(port)
            writer.close()
    await asyncio.gather(*(look(port) for port in range(1, 65536)))
    return sorted(found)
print(json.dumps(asyncio.run(scan(sys.argv[1]))))
"""


@contextlib.contextmanager
def attack(client: Callable[[], Awaitable[None]], number: int) -> Iterator[None]:
    """Run a number of clients, each again and again, in a thread of their own."""
    started, stopped = threading.Event(), threading.Event()

    async def repeat() -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
                await client()
            # What is refused costs this process, which also measures, more than who refuses it.
            await asyncio.sleep(1)

    async def run() -> None:
        tasks = [asyncio.create_task(repeat()) for _ in range(number)]
        started.set()
        while not stopped.is_set():
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        started.wait(10)
        time.sleep(3)
        yield
    finally:
        stopped.set()
        thread.join(30)


def figures(taken: list[float]) -> str:
    """Return sorted times in words."""
    return f"median {statistics.median(taken):.3f} s, longest {taken[-1]:.3f} s of {len(taken)}"


def new_token(who: str) -> str:
    """Return a token of a user that nothing has seen yet."""
    session = base.cloud(who).session
    return str(session.auth.get_auth_ref(session).auth_token)


def forged_token() -> str:
    """Return what looks like one of Keystone's tokens that was issued now, to all but Keystone (Fernet's format)."""
    body = b"\x80" + struct.pack(">Q", int(time.time())) + os.urandom(16 + 6 * 16 + 32)
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def listeners(port: int) -> str:
    """Return which programs of the stack listen on a port; the machine may have others."""
    members = {member.pid for member in cgroups.ProcessGroup("control").members()}
    listening = base.run(["ss", "-ltnpH", f"sport = :{port}"]).output
    return listening if any(f"pid={pid}," in listening for pid in members) else ""


class EdgeTest(base.IsolationTest):
    cluster: ClassVar[str]
    address: ClassVar[str]
    trusted: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        found = base.rest("red", "GET", "/v1/clusters").json()["clusters"]
        (cluster,) = (each for each in found if each["name"] == base.CLUSTER)
        cls.cluster, cls.address = cluster["id"], cluster["api_address"]
        bundle = base.LAYOUT.run / "isolation-edge-ca.crt"
        bundle.write_text(cluster["ca_certificate"])
        cls.trusted = str(bundle)
        attacker = f"{ATTACKER}/{addresses.PREFIX_LENGTH}"
        base.run(["ip", "address", "add", attacker, "dev", addresses.BRIDGE])
        cls.addClassCleanup(base.run, ["ip", "address", "delete", attacker, "dev", addresses.BRIDGE])

    def _drip(self, host: str, port: int, path: str) -> Callable[[], Awaitable[None]]:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        async def client() -> None:
            _, writer = await asyncio.open_connection(host, port, ssl=context, local_addr=(ATTACKER, 0))
            try:
                writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode())
                writer.write(b"Content-Length: 2000\r\n\r\n")
                while not writer.is_closing():
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(1)
            finally:
                writer.close()

        return client

    def _health(self) -> float:
        began = time.monotonic()
        url = f"{addresses.API_URL}/healthcheck"
        answer = requests.get(url, verify=str(base.LAYOUT.ca_certificate), timeout=20)
        self.assertEqual(200, answer.status_code)
        return time.monotonic() - began

    def _login(self, token: str) -> float:
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.address}/apis", headers=headers, verify=self.trusted, timeout=30)
        self.assertEqual(200, answer.status_code)
        return time.monotonic() - began

    def _during(self, measure: Callable[[], float]) -> list[float]:
        end = time.monotonic() + SECONDS
        taken = []
        while time.monotonic() < end:
            taken.append(measure())
            time.sleep(0.2)
        return sorted(taken)

    def test_slow_clients_of_a_public_port_harm_no_one(self) -> None:
        apiserver = urllib.parse.urlsplit(self.address)
        token = str(base.cloud("red").session.get_token())
        for host, port, path in (
            (addresses.CONTROL, addresses.API_PORT, f"/v1/nodes/{uuid.UUID(int=0)}/enroll"),
            (addresses.CONTROL, addresses.WEBHOOK_PORT, f"/v1/clusters/{self.cluster}/tokenreview"),
            (str(apiserver.hostname), int(apiserver.port or 443), "/apis"),
        ):
            with self.subTest(port=port), attack(self._drip(host, port, path), SLOW_CLIENTS):
                self.assertLess(self._during(self._health)[-1], 5.0)
                self.assertLess(self._during(lambda: self._login(token))[-1], 5.0)
                self.assertEqual(200, base.rest("red", "GET", "/v1/namespaces").status_code)

    def test_forged_tokens_keep_no_one_from_logging_in(self) -> None:
        apiserver = urllib.parse.urlsplit(self.address)
        context = ssl.create_default_context(cafile=self.trusted)

        async def forge() -> None:
            host, port = apiserver.hostname, apiserver.port
            reader, writer = await asyncio.open_connection(host, port, ssl=context, local_addr=(ATTACKER, 0))
            try:
                while True:
                    head = f"GET /apis HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {forged_token()}\r\n\r\n"
                    writer.write(head.encode())
                    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                    for line in lines:
                        if line.startswith(b"content-length:"):
                            await reader.readexactly(int(line.split(b":")[1]))
            finally:
                writer.close()

        token = str(base.cloud("blue").session.get_token())
        self._login(token)
        quiet = statistics.median(self._login(new_token("blue")) for _ in range(5))
        with attack(forge, FORGERS):
            known = self._during(lambda: self._login(token))
            # Made one by one: a token that was valid once is known.
            first = self._during(lambda: self._login(new_token("blue")))
        print(
            f"logins while {FORGERS} connections forge: known tokens {figures(known)}, first ones {figures(first)}, "
            f"{quiet:.3f} s before"
        )
        self.assertLess(known[int(len(known) * 0.99)], LOGIN_SECONDS, known)
        self.assertLess(first[int(len(first) * 0.99)], max(LOGIN_SECONDS, LOGIN_RATIO * quiet), first)

    def test_one_source_takes_no_more_than_its_share_of_an_apiserver(self) -> None:
        apiserver = urllib.parse.urlsplit(self.address)
        where = (str(apiserver.hostname), int(apiserver.port or 443))
        with contextlib.ExitStack() as links:
            taken = 0
            for _ in range(nodes.CONNECTIONS_PER_SOURCE + 20):
                with contextlib.suppress(ConnectionRefusedError):
                    links.enter_context(socket.create_connection(where, 5, source_address=(ATTACKER, 0)))
                    taken += 1
            self.assertEqual(nodes.CONNECTIONS_PER_SOURCE, taken)
            # From another address it is as reachable as before.
            self._login(str(base.cloud("red").session.get_token()))

    def test_a_node_reaches_the_documented_ports_and_no_others(self) -> None:
        done = base.node("python3", "-c", SCAN, addresses.CONTROL, timeout=300)
        self.assertEqual(0, done.status, done.text)
        found = set(json.loads(done.output))
        # The positive control: the scan sees what agents use.
        self.assertLessEqual({addresses.API_PORT, addresses.RABBITMQ_PORT}, found)
        self.assertEqual({}, {port: listeners(port) for port in found - set(DOCUMENTED) if listeners(port)})

    def test_a_node_s_certificates_open_no_port_of_the_webhook(self) -> None:
        """Only a certificate of the webhook's own CA does; a chassis has one of the installation's CA."""
        url = f"{addresses.WEBHOOK_URL}/healthcheck"
        tls = base.LAYOUT.tls
        verify = str(base.LAYOUT.ca_certificate)
        chassis = (str(tls / f"chassis-{base.NODE}.crt"), str(tls / f"chassis-{base.NODE}.key"))
        for certificate in (None, chassis):
            with self.assertRaises(requests.RequestException):
                requests.get(url, cert=certificate, verify=verify, timeout=20)
        probe = (str(tls / "webhook-clients/probe.crt"), str(tls / "webhook-clients/probe.key"))
        self.assertEqual(200, requests.get(url, cert=probe, verify=verify, timeout=20).status_code)
