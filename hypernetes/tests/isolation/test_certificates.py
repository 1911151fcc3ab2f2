# SPDX-License-Identifier: Apache-2.0
"""The certificates of a cluster that runs are renewed, and tenants notice no more than a restart of the apiserver."""

import ssl
from typing import Any

from hypernetes.standalone import addresses
from hypernetes.standalone.components import hypernetes_conductor
from hypernetes.tests.isolation import base

_API_AWAY_SECONDS = 180.0
"""etcd and the apiserver of the only control node start again one after the other."""


class CertificatesTest(base.IsolationTest):
    def cluster(self) -> Any:
        """What the API says of the cluster now."""
        (found,) = base.rest("admin", "GET", f"/v1/clusters?name={base.CLUSTER}").json()["clusters"]
        return found

    def test_a_running_cluster_is_renewed_and_its_pods_run_on(self) -> None:
        namespace = self.namespace("red", "renewal").wait_active()
        namespace.start_pod("old")
        namespace.wait_running("old")
        uid, before, served = namespace.uid("old"), self.cluster(), _served_certificate()

        _order(before["id"])
        renewed = base.eventually(
            lambda: _changed(self.cluster(), before), "the conductor's new certificate", timeout=240, interval=2
        )
        self.assertGreater(renewed["certificates_expire_at"], before["certificates_expire_at"])
        self.assertEqual("ACTIVE", renewed["status"], renewed["status_reason"])
        base.eventually(lambda: _is_ready(namespace), "the apiserver", timeout=_API_AWAY_SECONDS)
        self.assertNotEqual(served, _served_certificate())

        # The machine was not touched, and what the new control plane orders is done.
        self.assertEqual(uid, namespace.uid("old"))
        restarts = base.kubectl_json("red", "-n", namespace.name, "get", "pod", "old")["status"]["containerStatuses"]
        self.assertEqual([0], [status["restartCount"] for status in restarts])
        namespace.start_pod("new")
        namespace.wait_running("new")


def _order(cluster_id: str) -> None:
    """Order the renewal, as an operator does on a conductor's host."""
    configuration = base.LAYOUT.service(hypernetes_conductor.NAME) / "hypernetes.conf"
    program = base.LAYOUT.venv / "bin" / "hypernetes-manage"
    words = [str(program), "--config-file", str(configuration), "certificates", "renew", cluster_id]
    done = base.run(words)
    if done.status:
        raise AssertionError(done.text)


def _changed(cluster: Any, before: Any) -> Any:
    return cluster if cluster["certificates_expire_at"] != before["certificates_expire_at"] else None


def _is_ready(namespace: base.Namespace) -> bool:
    return namespace.kubectl("get", "pods", "--request-timeout=5s").status == 0


def _served_certificate() -> str:
    return ssl.get_server_certificate((addresses.NODES[base.NODE], 6443), timeout=5)
