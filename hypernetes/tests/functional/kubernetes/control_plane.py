# SPDX-License-Identifier: Apache-2.0
"""A real etcd, kube-apiserver, controller manager and scheduler on loopback ports, for tests.

The apiserver gets the flags and files a control node's gets, so that these are tested as well. There is no kubelet:
nodes are objects that the test makes.
"""

import contextlib
import datetime
import ipaddress
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lightkube.models import meta_v1 as meta
from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes import client
from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.kubernetes.bootstrap import kubeadm

START_SECONDS = 180.0
STOP_SECONDS = 20.0
SERVICE_SUBNET = "10.96.0.0/16"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def distribution() -> Path:
    """The distribution tree the environment names.

    :raises RuntimeError: it names none, or a tree without the programs.
    """
    text = os.environ.get("HYPERNETES_DIST_DIR")
    if text is None:
        raise RuntimeError("HYPERNETES_DIST_DIR must name a tree made by distribution/build")
    missing = [name for name in COMPONENTS if not (Path(text) / "bin" / name).exists()]
    if missing:
        raise RuntimeError(f"{text}/bin lacks {', '.join(missing)}")
    return Path(text)


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return when ``condition`` holds.

    :raises TimeoutError: it did not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.1)


class CertificateAuthority:
    """Signs certificates; the cluster's and the webhook's authority in one."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key())
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self._certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, groups: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> tuple[str, str]:
        """PEM of a certificate and of its key; groups become the organizations."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key())
        if addresses:
            alternatives = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), _key_pem(key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


class ControlPlane:
    """The running processes; a context manager that leaves none of them behind."""

    def __init__(self, *, webhook_url: str = "https://127.0.0.1:1/", webhook_authority_pem: str | None = None) -> None:
        self.ca = CertificateAuthority("test-cluster")
        self._webhook_url = webhook_url
        self._webhook_authority_pem = webhook_authority_pem or self.ca.pem
        self._stack = contextlib.ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []
        etcd, peer, api, manager, scheduler = _free_ports(5)
        self._ports = {"etcd": etcd, "peer": peer, "api": api, "manager": manager, "scheduler": scheduler}
        self.address = f"https://127.0.0.1:{api}"

    def __enter__(self) -> "ControlPlane":
        self._programs = distribution() / "bin"
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hypernetes-test-")))
        self._stack.callback(self._stop)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def connect(self, name: str, *groups: str) -> client.ClusterClient:
        """A client that the apiserver takes for user ``name`` in ``groups``."""
        certificate, key = self.ca.issue(name, groups)
        made = client.ClusterClient(self.address, self.ca.pem, certificate, key, timeout=30.0)
        self._stack.callback(made.close)
        return made

    def administrator(self) -> client.ClusterClient:
        """A client with the conductor's identity."""
        return self.connect("hypernetes-conductor", "kubeadm:cluster-admins")

    def _start(self) -> None:
        self._write("ca.crt", self.ca.pem)
        certificate, key = self.ca.issue("kube-apiserver", addresses=("127.0.0.1",))
        self._write("apiserver.crt", certificate)
        self._write("apiserver.key", key)
        self._write("service-accounts.key", _key_pem(ec.generate_private_key(ec.SECP256R1())))
        for name, text in apiserver_files.control_node_files(self._webhook_url, self._webhook_authority_pem).items():
            self._write(name, text.replace(apiserver_files.DIRECTORY, str(self.directory)))
        key_bytes = secrets.token_bytes(apiserver_files.ENCRYPTION_KEY_BYTES)
        self._write("encryption.yaml", apiserver_files.encryption_configuration(key_bytes))
        self._run_etcd()
        self._run_api_server()
        ready = self.connect("bootstrap", "system:masters")
        try:
            wait_for("the apiserver's readiness", lambda: self._all_run() and ready.is_ready(), START_SECONDS)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}\n{self._end_of_logs()}") from error
        # kubeadm does this, and the conductor's certificate relies on it.
        ready.apply(
            rbac.ClusterRoleBinding(
                metadata=meta.ObjectMeta(name="kubeadm:cluster-admins"),
                roleRef=rbac_models.RoleRef(
                    apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"
                ),
                subjects=[
                    rbac_models.Subject(
                        apiGroup="rbac.authorization.k8s.io", kind="Group", name="kubeadm:cluster-admins"
                    )
                ],
            )
        )
        self._run_controllers()

    def _run_etcd(self) -> None:
        client_url, peer_url = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        self._run(
            "etcd",
            data_dir=str(self.directory / "etcd"),
            listen_client_urls=client_url,
            advertise_client_urls=client_url,
            listen_peer_urls=peer_url,
            initial_advertise_peer_urls=peer_url,
            initial_cluster=f"default={peer_url}",
            unsafe_no_fsync="true",
        )

    def _run_api_server(self) -> None:
        spec = kubeadm.ClusterSpec(
            cluster_name="test",
            node_name="node1",
            node_address="127.0.0.1",
            kubernetes_version="v1.37.2",
            service_subnet=SERVICE_SUBNET,
            cgroup_root="/hypernetes/node1",
            eviction={},
            certificate_validity=24 * 3600,
        )
        arguments = {
            name: value.replace(apiserver_files.DIRECTORY, str(self.directory)).replace(
                apiserver_files.AUDIT_LOG_DIRECTORY, str(self.directory)
            )
            for name, value in kubeadm.api_server_arguments(spec).items()
        }
        arguments |= {
            "etcd-servers": f"http://127.0.0.1:{self._ports['etcd']}",
            "secure-port": str(self._ports["api"]),
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            # The reconciler refuses a loopback address; no test needs the kubernetes Service's endpoints.
            "endpoint-reconciler-type": "none",
            "kubelet-certificate-authority": str(self.directory / "ca.crt"),
            "tls-cert-file": str(self.directory / "apiserver.crt"),
            "tls-private-key-file": str(self.directory / "apiserver.key"),
            "client-ca-file": str(self.directory / "ca.crt"),
            "authorization-mode": "Node,RBAC",
            "service-cluster-ip-range": spec.service_subnet,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": str(self.directory / "service-accounts.key"),
            "service-account-signing-key-file": str(self.directory / "service-accounts.key"),
            "allow-privileged": "true",
        }
        self._run("kube-apiserver", **{name.replace("-", "_"): value for name, value in arguments.items()})

    def _run_controllers(self) -> None:
        manager = self._kubeconfig("system:kube-controller-manager")
        self._run(
            "kube-controller-manager",
            kubeconfig=manager,
            authentication_kubeconfig=manager,
            authorization_kubeconfig=manager,
            use_service_account_credentials="true",
            service_account_private_key_file=str(self.directory / "service-accounts.key"),
            root_ca_file=str(self.directory / "ca.crt"),
            secure_port=str(self._ports["manager"]),
            bind_address="127.0.0.1",
            cert_dir=str(self.directory),
            leader_elect="false",
        )
        scheduler = self._kubeconfig("system:kube-scheduler")
        self._run(
            "kube-scheduler",
            kubeconfig=scheduler,
            authentication_kubeconfig=scheduler,
            authorization_kubeconfig=scheduler,
            secure_port=str(self._ports["scheduler"]),
            bind_address="127.0.0.1",
            cert_dir=str(self.directory),
            leader_elect="false",
        )

    def _kubeconfig(self, user: str) -> str:
        certificate, key = self.ca.issue(user)
        name = user.replace(":", "-")
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": self.address, "certificate-authority": str(self.directory / "ca.crt")},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate": self._write(f"{name}.crt", certificate),
                        "client-key": self._write(f"{name}.key", key),
                    },
                }
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        return self._write(f"{name}.kubeconfig", yaml.safe_dump(document))

    def _run(self, program: str, **arguments: str) -> None:
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in arguments.items()]
        log = self._stack.enter_context((self.directory / f"{program}.log").open("wb"))
        process = subprocess.Popen(
            [self._programs / program, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        self._processes.append(process)

    def _write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.touch(0o600)
        path.write_text(text)
        return str(path)

    def _all_run(self) -> bool:
        for process in self._processes:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        return True

    def _end_of_logs(self) -> str:
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-2000:]}" for log in logs)

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
