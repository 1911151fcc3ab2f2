# SPDX-License-Identifier: Apache-2.0
"""Each credential that a worker node holds, tried on each port that the node reaches: where it opens anything."""

import json
import sys
from typing import Any
from typing import ClassVar
from urllib.parse import urlsplit

from hypernetes.standalone import addresses
from hypernetes.standalone import nodes
from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import test_bus
from hypernetes.tests.isolation import test_edge

KUBELET_PORT = 10250
DOCUMENTED = {
    ("bus user", f"{addresses.CONTROL}:{addresses.RABBITMQ_PORT}"),
    ("chassis", f"{addresses.CONTROL}:{addresses.OVN_SOUTHBOUND_PORT}"),
    ("kubelet", f"{addresses.NODES[base.NODE]}:{nodes.APISERVER_PORT}"),
    # Its authorizer then refuses the node; kubelet asks for a certificate of the cluster's CA.
    ("kubelet", f"{addresses.NODES[base.NODE]}:{KUBELET_PORT}"),
}
"""What opens what, as doc/source/admin/compromised-node.rst says."""

TRY = r"""
import concurrent.futures, json, socket, ssl, sys
import amqp
given = json.load(sys.stdin)
PATHS = ("/", "/v1/nodes", "/v2.0/networks", "/v3/projects", "/v2/", "/api", "/pods", "/metrics", "/healthz")

def context(certificate):
    made = ssl._create_unverified_context()
    if certificate:
        made.load_cert_chain(*certificate)
    return made

def dial(place, tls):
    host, port = place.rsplit(":", 1)
    link = socket.create_connection((host, int(port)), 10)
    link.settimeout(10)
    return tls.wrap_socket(link, server_hostname=host) if tls else link

def said(place, tls, text):
    try:
        with dial(place, tls) as link:
            link.sendall(text)
            first = link.recv(400).split(b"\r\n")[0].decode(errors="replace")[:60]
    except OSError:
        return "refused"
    return "refused" if not first or " 400 " in first or " 401 " in first else first

def speaks_tls(place):
    for _ in range(5):
        try:
            dial(place, context(None)).close()
        except ssl.SSLError as error:
            return "ALERT" in str(error.reason)
        except OSError:
            continue
        return True
    return False

def bus(place, tls, user, password):
    try:
        options = {"cert_reqs": ssl.CERT_NONE} if tls else False
        login = {"userid": user, "password": password, "virtual_host": given["virtual_host"]}
        link = amqp.Connection(host=place, ssl=options, connect_timeout=5, read_timeout=5, **login)
        link.connect()
        link.close()
    except Exception:
        return "refused"
    return "open"

def answers(place, tls, credential):
    secure = context(credential.get("certificate")) if tls else None
    headers = "".join(f"{name}: {value}\r\n" for name, value in credential.get("headers", {}).items())
    found = {path: said(place, secure, f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n".encode())
             for path in PATHS}
    found["ovsdb"] = said(place, secure, b'{"method":"list_dbs","params":[],"id":1}')
    login = json.dumps(credential.get("keystone", {})).encode()
    head = f"POST /v3/auth/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: {len(login)}\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    found["password"] = said(place, secure, head.encode() + login)
    for user, password in credential.get("bus", [["nobody", "nothing"]]):
        found["bus " + user] = bus(place, tls, user, password)
    found["bus"] = "open" if "open" in (found.pop(key) for key in list(found) if key.startswith("bus ")) else "refused"
    return found

with concurrent.futures.ThreadPoolExecutor(16) as threads:
    tls = dict(zip(given["places"], threads.map(speaks_tls, given["places"])))
    asked = {(place, name): threads.submit(answers, place, tls[place], credential)
             for place in given["places"] for name, credential in {"none": {}, **given["credentials"]}.items()}
found = {}
for (place, name), future in asked.items():
    found.setdefault(place, {})[name] = future.result()
json.dump({"tls": tls, "found": found}, sys.stdout)
"""


class NodeReachTest(base.IsolationTest):
    credentials: ClassVar[dict[str, Any]]
    virtual_host: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        root = base.LAYOUT.node(base.NODE)
        kept = json.loads((root / test_bus.CREDENTIAL).read_text())
        where = urlsplit(kept["transport_url"].replace("{password}", "hidden"))
        cls.virtual_host = where.path.lstrip("/")
        user, password, token = str(where.username), kept["amqp_password"], kept["token"]
        pki = root / "lib/kubelet/pki"
        # Links, whose targets are paths inside the node.
        kubelet, serving = (
            str(pki / (pki / f"kubelet-{kind}-current.pem").readlink().name) for kind in ("client", "server")
        )
        chassis = root / "etc/hypernetes/ovn"
        cls.credentials = {
            "agent's token": {
                "headers": {"Authorization": f"Bearer {token}", "X-Auth-Token": token, "X-Service-Token": token},
                "keystone": _login(kept["node_id"], token),
                "bus": [[user, token], [kept["node_id"], token]],
            },
            "bus user": {
                "headers": {"X-Auth-Token": password},
                "keystone": _login(user, password),
                "bus": [[user, password]],
            },
            "chassis": {"certificate": [str(chassis / "chassis.crt"), str(chassis / "chassis.key")]},
            "kubelet": {"certificate": [kubelet, kubelet]},
            "kubelet's server": {"certificate": [serving, serving]},
        }

    def places(self) -> list[str]:
        """What listens for others: the stack on the control address, and all on the node's own.

        That a node reaches nothing else is tested by :mod:`hypernetes.tests.isolation.test_edge`, with a scan.
        """
        control = base.run(["ss", "-ltnH"]).output
        node = base.node("ss", "-ltnH").output
        stack = [port for port in _ports(control) if test_edge.listeners(port)]
        return [
            *(f"{addresses.CONTROL}:{port}" for port in stack),
            *(f"{addresses.NODES[base.NODE]}:{port}" for port in _ports(node)),
        ]

    def test_each_credential_of_a_node_opens_what_is_documented(self) -> None:
        places = self.places()
        given = {"places": places, "credentials": self.credentials, "virtual_host": self.virtual_host}
        inside = ["nsenter", f"--net=/run/netns/{base.node_netns()}"]
        done = base.run([*inside, sys.executable, "-c", TRY], stdin=json.dumps(given), timeout=300)
        self.assertEqual(0, done.status, done.text)
        found = json.loads(done.output)["found"]
        opened = {}
        for place in places:
            anonymous = found[place]["none"]
            for name in self.credentials:
                # A credential opens something where the answer is another one than without it.
                answers = found[place][name].items()
                better = {what: text for what, text in answers if text not in (anonymous[what], "refused")}
                if better:
                    opened[name, place] = better
        print(f"{len(places)} ports: {', '.join(places)}")
        for (name, place), better in opened.items():
            print(f"{name} at {place}: {better}")
        self.assertEqual({}, {key: better for key, better in opened.items() if key not in DOCUMENTED})
        # The positive control: the credentials are good ones.
        self.assertEqual(DOCUMENTED, set(opened))


def _login(name: str, password: str) -> dict[str, Any]:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}


def _ports(listening: str) -> list[int]:
    """Return the ports of what ``ss`` lists, but for what listens on loopback addresses."""
    found = {line.split()[3].rpartition(":") for line in listening.splitlines()}
    return sorted({int(port) for address, _, port in found if not address.startswith(("127.", "[::1]"))})
