# SPDX-License-Identifier: Apache-2.0
"""Names in phase orders and results that the conductor and the agent must spell alike."""

KUBEADM_FILE = "kubeadm.yaml"
"""Input of every kubeadm phase and of ``prepare``: the documents for ``kubeadm … --config``."""
CSR_FILE = "client.csr"
"""Input of ``sign-client``: the conductor's certificate signing request (PEM)."""
VALIDITY_SECONDS = "validity_seconds"
"""Input of ``sign-client``: how long the certificate is valid, a decimal number."""

API_ADDRESS = "api_address"
CA_CERTIFICATE = "ca_certificate"
CLIENT_CERTIFICATE = "client_certificate"
"""Outputs of ``sign-client``, named like the fields of the cluster's record."""

CLIENT_COMMON_NAME = "hypernetes-conductor"
CLIENT_ORGANIZATION = "kubeadm:cluster-admins"
"""Subject of the conductor's client certificate. kubeadm binds the group to cluster-admin; unlike system:masters, the
binding can be removed."""
