# SPDX-License-Identifier: Apache-2.0
"""No OpenStack, database or cluster-admin credential is where it must not be; the search first finds one it planted."""

import base64
import datetime
import os
import re
import subprocess
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import programs

LARGEST = 8 * 1024 * 1024
"""Bytes; what is larger is a disk image, a log or a database of containerd's, searched by no credential's reader."""

CONTROL_DIRECTORIES = ("secrets", "services", "tls", "clients")
"""Directories below the state directory in which the control services keep what is theirs, by name."""


def wanted() -> dict[str, bytes]:
    """The secrets to look for, by name: every generated password of the installation, and admin's."""
    found = {}
    for path in sorted(base.LAYOUT.secrets.rglob("*")):
        if path.is_file():
            text = path.read_bytes().strip()
            if len(text) >= 12:
                found[path.name] = text
    for who in ("admin", "red", "blue"):
        found[f"password of {who}"] = base.settings(who)["OS_PASSWORD"].encode()
    return found


def _variants(secret: bytes) -> Iterator[bytes]:
    yield secret
    # A kubeconfig or a Secret holds the same thing in base 64.
    yield base64.b64encode(secret).rstrip(b"=")


def hits(content: bytes, secrets: dict[str, bytes]) -> list[str]:
    """Names of the secrets that stand in ``content``."""
    return [name for name, secret in secrets.items() if any(v in content for v in _variants(secret))]


def files(roots: Iterable[Path], without: Iterable[Path]) -> Iterator[Path]:
    """Regular files of a size that can hold a credential."""
    excluded = [str(path) for path in without]
    for root in roots:
        for directory, names, leaves in os.walk(root):
            names[:] = [n for n in names if str(Path(directory, n)) not in excluded]
            for leaf in leaves:
                path = Path(directory, leaf)
                try:
                    if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
                        yield path
                except OSError:
                    continue


def read(path: Path) -> bytes:
    """A file's content; nothing where it has just gone or cannot be read at all."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def search_files(secrets: dict[str, bytes]) -> dict[str, list[str]]:
    """Which files outside the control services' directories hold which secrets."""
    state = base.LAYOUT.state
    roots = [state, Path("/etc"), Path("/run"), Path("/tmp"), Path("/var/lib/hypernetes")]
    without = [state / name for name in CONTROL_DIRECTORIES]
    return {str(path): found for path in files(roots, without) if (found := hits(read(path), secrets))}


def open_files(process: Path) -> list[Path]:
    """A process's open regular files of bearable size; those of one that has just ended are none."""
    try:
        return [fd for fd in (process / "fd").iterdir() if fd.is_file() and fd.stat().st_size <= LARGEST]
    except FileNotFoundError:
        return []


def search_processes(names: Iterable[str], secrets: dict[str, bytes]) -> dict[str, list[str]]:
    """Which processes' arguments, environment or open files hold which secrets."""
    found = {}
    for process in base.processes():
        line = base.command_line(process)
        if not line or not any(name in " ".join(line[:3]) for name in names):
            continue
        places = [process / "cmdline", process / "environ"]
        places += open_files(process)
        for place in places:
            bad = hits(read(place), secrets)
            if bad:
                found[f"{' '.join(line[:2])} {place}"] = bad
    return found


ADMINISTRATORS = frozenset({"system:masters", "kubeadm:cluster-admins"})
"""Organizations in a client certificate that make its holder the cluster's administrator."""


def administrators(root: Path) -> list[Path]:
    """Files with an administrator's certificate, plain or in base 64, but for the control plane's own keys."""
    control_plane = root / "etc" / "kubernetes" / "pki"
    return [path for path in files([root], [control_plane]) if _is_administrators(read(path))]


def _is_administrators(content: bytes) -> bool:
    texts = [
        content,
        *(base64.b64decode(text + b"==") for text in re.findall(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]+", content)),
    ]
    for text in texts:
        for found in re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL):
            try:
                subject = x509.load_pem_x509_certificate(found).subject
            except ValueError:
                continue
            names = {attribute.value for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
            if names & ADMINISTRATORS:
                return True
    return False


def _administrators_certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "kubeadm:cluster-admins")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(hours=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class CredentialTest(base.IsolationTest):
    def test_the_search_finds_what_it_planted(self) -> None:
        secret = uuid.uuid4().hex.encode()
        planted = base.LAYOUT.node(base.NODE) / f"planted-{uuid.uuid4().hex}"
        planted.write_bytes(b"password: " + base64.b64encode(secret))
        try:
            self.assertIn(str(planted), search_files({"planted": secret}))
        finally:
            planted.unlink()

    def test_no_file_outside_the_control_services_directories_holds_a_credential(self) -> None:
        self.assertGreater(len(wanted()), 5)
        self.assertEqual({}, search_files(wanted()))

    def test_no_process_on_the_node_holds_a_credential(self) -> None:
        secrets = wanted()
        # The positive control: the same search over a control service finds its own configuration or none at all,
        # so a process with a planted variable is started beside the others.
        self._plant_in_a_process()
        names = ("hypernetes-agent", "containerd-shim-hyper-v2", "qemu-system", "kubelet", "ovn-controller")
        self.assertTrue(programs.pids("agent"))
        self.assertEqual({}, search_processes(names, secrets))

    def _plant_in_a_process(self) -> None:
        secret = uuid.uuid4().hex
        with subprocess.Popen(["sleep", "60"], env={"OS_PASSWORD": secret}) as sleeper:
            try:
                # For an instant after exec a process has neither arguments nor environment.
                base.eventually(
                    lambda: search_processes(("sleep",), {"planted": secret.encode()}),
                    "the planted variable found",
                    timeout=10,
                )
            finally:
                sleeper.kill()

    def test_no_administrators_certificate_is_outside_the_control_planes_directory(self) -> None:
        root = base.LAYOUT.node(base.NODE)
        planted = root / f"planted-{uuid.uuid4().hex}.conf"
        planted.write_text(f"client-certificate-data: {base64.b64encode(_administrators_certificate()).decode()}")
        try:
            self.assertEqual([planted], administrators(root))
        finally:
            planted.unlink()
        self.assertEqual([], administrators(root))

    def test_no_administrators_file_of_kubeadm_is_on_the_node(self) -> None:
        listed = base.node("find", "/etc/kubernetes", "-name", "*admin*.conf").output.split()
        self.assertEqual([], listed)
