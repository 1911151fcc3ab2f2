# SPDX-License-Identifier: Apache-2.0
"""The inputs of a control node."""

import testtools
import yaml

from hypernetes.auth import answers
from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.tests.support import kubernetes_builders as builders


class ConfigurationTest(testtools.TestCase):
    """The three documents of kubeadm's configuration."""

    def test_the_documents_are_what_kubeadm_reads(self) -> None:
        kinds = [
            (d["apiVersion"], d["kind"]) for d in yaml.safe_load_all(kubeadm.configuration(builders.cluster_spec()))
        ]
        self.assertEqual(
            [
                ("kubeadm.k8s.io/v1beta4", "InitConfiguration"),
                ("kubeadm.k8s.io/v1beta4", "ClusterConfiguration"),
                ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"),
            ],
            kinds,
        )

    def test_the_apiserver_listens_where_the_node_is(self) -> None:
        document = kubeadm.init_configuration(builders.cluster_spec())
        self.assertEqual({"advertiseAddress": "198.51.100.11", "bindPort": 6443}, document["localAPIEndpoint"])

    def test_the_endpoint_is_a_name_that_the_certificate_has(self) -> None:
        spec = builders.cluster_spec(endpoint_name="demo.hypernetes.internal", extra_certificate_names=("lb.test",))
        document = kubeadm.cluster_configuration(spec)
        self.assertEqual("demo.hypernetes.internal:6443", document["controlPlaneEndpoint"])
        names = document["apiServer"]["certSANs"]
        self.assertEqual(["demo.hypernetes.internal", "198.51.100.11", "lb.test"], names)

    def test_the_endpoint_of_a_cluster_without_a_name_is_the_address(self) -> None:
        document = kubeadm.cluster_configuration(builders.cluster_spec())
        self.assertEqual("198.51.100.11:6443", document["controlPlaneEndpoint"])
        self.assertEqual(["198.51.100.11"], document["apiServer"]["certSANs"][:1])

    def test_an_untainted_control_node_says_so_with_an_empty_list(self) -> None:
        registration = kubeadm.init_configuration(builders.cluster_spec())["nodeRegistration"]
        self.assertEqual([], registration["taints"])

    def test_a_tainted_control_node_keeps_tenants_off(self) -> None:
        spec = builders.cluster_spec(taint_control_node=True)
        (taint,) = kubeadm.init_configuration(spec)["nodeRegistration"]["taints"]
        self.assertEqual("node-role.kubernetes.io/control-plane", taint["key"])

    def test_the_two_caches_together_stay_under_a_minute(self) -> None:
        self.assertLess(kubeadm.WEBHOOK_CACHE_SECONDS + answers.MAX_STALE_SECONDS, 60)

    def test_every_file_of_the_apiserver_lies_in_a_mounted_directory(self) -> None:
        document = kubeadm.cluster_configuration(builders.cluster_spec())
        # kubeadm mounts the directory of its certificates by itself.
        mounted = ("/etc/kubernetes/pki", *(volume["mountPath"] for volume in document["apiServer"]["extraVolumes"]))
        paths = [a["value"] for a in document["apiServer"]["extraArgs"] if a["value"].startswith("/")]
        self.assertEqual(7, len(paths))
        for path in paths:
            self.assertTrue(path.startswith(mounted), path)

    def test_etcd_has_a_quota_and_keeps_history_for_a_minute(self) -> None:
        spec = builders.cluster_spec(etcd_quota=3 << 30)
        arguments = kubeadm.cluster_configuration(spec)["etcd"]["local"]["extraArgs"]
        self.assertIn({"name": "quota-backend-bytes", "value": str(3 << 30)}, arguments)
        self.assertEqual("1m0s", kubeadm.api_server_arguments(spec)["etcd-compaction-interval"])

    def test_a_batch_of_the_largest_revisions_is_compacted_in_a_moment(self) -> None:
        arguments = kubeadm.etcd_arguments(builders.cluster_spec())
        largest = 3 << 19  # --max-request-bytes, which kubeadm and the apiserver leave at etcd's 1.5 MiB.
        self.assertLessEqual(int(arguments["compaction-batch-limit"]) * largest, 32 << 20)

    def test_service_account_tokens_end_within_the_hour(self) -> None:
        arguments = kubeadm.api_server_arguments(builders.cluster_spec())
        self.assertEqual("1h", arguments["service-account-max-token-expiration"])
        self.assertEqual("false", arguments["service-account-extend-token-expiration"])

    def test_neither_kube_proxy_nor_coredns_is_installed(self) -> None:
        document = kubeadm.cluster_configuration(builders.cluster_spec())
        self.assertEqual(({"disabled": True}, {"disabled": True}), (document["proxy"], document["dns"]))

    def test_pods_live_below_the_node_s_own_cgroup(self) -> None:
        document = kubeadm.kubelet_configuration(builders.cluster_spec())
        self.assertEqual("/hypernetes/node1", document["cgroupRoot"])
        self.assertEqual((False, "cgroupfs"), (document["failCgroupV1"], document["cgroupDriver"]))

    def test_an_ipv6_address_is_bracketed_in_the_endpoint(self) -> None:
        spec = builders.cluster_spec(node_address="2001:db8::1")
        self.assertEqual("[2001:db8::1]:6443", kubeadm.cluster_configuration(spec)["controlPlaneEndpoint"])


class FilesTest(testtools.TestCase):
    """The files the apiserver reads."""

    def test_the_webhook_is_reached_over_tls_only(self) -> None:
        self.assertRaises(ValueError, apiserver_files.webhook_kubeconfig, "http://192.0.2.1/", "PEM")

    def test_anonymous_requests_reach_health_checks_only(self) -> None:
        document = yaml.safe_load(apiserver_files.authentication_configuration())
        self.assertEqual(["/livez", "/readyz", "/healthz"], [c["path"] for c in document["anonymous"]["conditions"]])

    def test_no_body_is_ever_audited(self) -> None:
        levels = {rule["level"] for rule in yaml.safe_load(apiserver_files.audit_policy())["rules"]}
        self.assertEqual({"None", "Metadata"}, levels)

    def test_what_tenants_do_is_audited(self) -> None:
        last = yaml.safe_load(apiserver_files.audit_policy())["rules"][-1]
        self.assertEqual({"level": "Metadata"}, last)

    def test_the_encryption_key_has_its_length(self) -> None:
        self.assertRaises(ValueError, apiserver_files.encryption_configuration, b"short")

    def test_new_secrets_are_written_encrypted(self) -> None:
        document = yaml.safe_load(apiserver_files.encryption_configuration(bytes(apiserver_files.ENCRYPTION_KEY_BYTES)))
        first, second = document["resources"][0]["providers"]
        self.assertEqual((["secretbox"], ["identity"]), (list(first), list(second)))

    def test_no_file_of_a_phase_order_is_the_secret_one(self) -> None:
        self.assertNotIn("encryption.yaml", apiserver_files.control_node_files("https://192.0.2.1/", "PEM"))
