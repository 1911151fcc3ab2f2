# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed: kubelets' by a real apiserver and controller manager, the control plane's by kubeadm."""

import base64
import ipaddress
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lightkube.resources import certificates_v1 as certificates

from hypernetes.agent.bootstrap import renew
from hypernetes.kubernetes import serving_certificates
from hypernetes.model import errors
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import renewal
from hypernetes.tests.functional.kubernetes import tenant


def signing_request(node: str, address: str | None = None) -> str:
    """What a kubelet sends for its client certificate or, with an address, for its serving one; in base 64."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if address is not None:
        names = [x509.DNSName(node), x509.IPAddress(ipaddress.ip_address(address))]
        request = request.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


class KubeletCertificateTest(unittest.TestCase):
    plane: ClassVar[control_plane.ControlPlane]
    administrator: ClassVar[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.plane = cls.enterClassContext(control_plane.ControlPlane())
        cls.administrator = cls.plane.administrator()
        tenant.install_cluster(cls.administrator)

    def request(self, requester: str, subject: str) -> str:
        """Have a node ask for a client certificate of a node, and return the request's name."""
        kubelet = self.plane.connect(f"system:node:{requester}", "system:nodes")
        name = f"{requester}-for-{subject}"
        made: Any = certificates.CertificateSigningRequest.from_dict(
            {
                "metadata": {"name": name},
                "spec": {
                    "request": signing_request(subject),
                    "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                    "usages": ["digital signature", "client auth"],
                },
            }
        )
        kubelet.create(made)
        return name

    def is_approved(self, name: str) -> bool:
        status = self.administrator.get(certificates.CertificateSigningRequest, name).status
        return any(condition.type == "Approved" for condition in (status.conditions if status else None) or [])

    def test_a_node_s_renewal_is_approved_and_another_node_cannot_ask_for_it(self) -> None:
        own = self.request("node1", "node1")
        control_plane.wait_for("the approval", lambda: self.is_approved(own))
        self.assertRaises(errors.Refused, self.request, "node2", "node1")

    def test_a_serving_certificate_is_approved_for_the_recorded_address_only(self) -> None:
        for node, address in (("node1", "192.0.2.11"), ("node2", "192.0.2.99")):
            made: Any = certificates.CertificateSigningRequest.from_dict(
                {
                    "metadata": {"name": f"serving-{node}"},
                    "spec": {
                        "request": signing_request(node, address),
                        "signerName": serving_certificates.SIGNER,
                        "usages": ["digital signature", "server auth"],
                    },
                }
            )
            self.plane.connect(f"system:node:{node}", "system:nodes").create(made)
        recorded = {"node1": "192.0.2.11", "node2": "192.0.2.12"}
        result = serving_certificates.approve(self.administrator, recorded)
        self.assertEqual(("node1",), result.approved)
        self.assertEqual(1, len(result.refused))
        self.assertTrue(self.is_approved("serving-node1"))
        self.assertFalse(self.is_approved("serving-node2"))
        # A second pass sees the approval and does not repeat it.
        self.assertEqual(("node1",), serving_certificates.approve(self.administrator, recorded).approved)


class RenewalTest(unittest.TestCase):
    """The agent's phase with the real kubeadm and the configuration that conductors render."""

    def setUp(self) -> None:
        """Provide the mount point, which a machine that never was a node does not have."""
        try:
            renewal.KUBERNETES.mkdir()
        except FileExistsError:
            return
        self.addCleanup(renewal.KUBERNETES.rmdir)

    def test_kubeadm_renews_certificates_of_minutes_and_rewrites_the_static_pods(self) -> None:
        with tempfile.TemporaryDirectory(prefix="hypernetes-test-") as text:
            directory = Path(text)
            words = ["unshare", "--mount", sys.executable, "-m", renewal.__name__, text]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            before, after = (
                x509.load_pem_x509_certificate((directory / name).read_bytes()) for name in ("before", "after")
            )
            life = before.not_valid_after_utc - before.not_valid_before_utc
            # kubeadm dates them back by five minutes.
            self.assertLess(life.total_seconds(), renewal.VALIDITY_SECONDS + 600)
            self.assertLess(before.not_valid_after_utc, after.not_valid_after_utc)
            self.assertNotEqual(before.serial_number, after.serial_number)
            manifests = (directory / "manifests").read_text()
            self.assertEqual(len(renew.STATIC_PODS), manifests.count(renew.RENEWED_AT))
            self.assertIn("--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt", manifests)
