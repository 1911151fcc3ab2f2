# SPDX-License-Identifier: Apache-2.0
"""Names in phase orders and results that the conductor and the agent must spell alike."""

KUBEADM_FILE = "kubeadm.yaml"
"""Input of every kubeadm phase and of ``prepare``: the documents for ``kubeadm … --config``."""
CSR_FILE = "client.csr"
"""Input of ``sign-client``: the conductor's certificate signing request (PEM)."""
VALIDITY_SECONDS = "validity_seconds"
"""Input of ``sign-client``: how long the certificate is valid, a decimal number."""
API_HOST = "api_host"
"""Input of ``prepare`` and ``prepare-worker``: the apiserver's DNS name, if nodes cannot rely on DNS for it."""
API_HOST_ADDRESS = "api_host_address"
"""Input with ``api_host``: the address that the name stands for."""
API_SERVER = "api_server"
"""Input of ``join``: the URL under which the kubelet reaches the apiserver."""
NODE_CSR = "node.csr"
"""Output of ``prepare-worker``: the request (PEM) for the certificate with which the kubelet joins."""
NODE_CERTIFICATE = "node.crt"
"""Input of ``join``: that certificate."""

API_ADDRESS = "api_address"
CA_CERTIFICATE = "ca_certificate"
CLIENT_CERTIFICATE = "client_certificate"
"""Outputs of ``sign-client``, named like the fields of the cluster's record; ``join`` has the CA's certificate too."""

CLIENT_COMMON_NAME = "hypernetes-conductor"
CLIENT_ORGANIZATION = "kubeadm:cluster-admins"
"""Subject of the conductor's client certificate. kubeadm binds the group to cluster-admin; unlike system:masters, the
binding can be removed."""

NODE_USER_PREFIX = "system:node:"
NODE_GROUP = "system:nodes"
"""What makes a certificate a kubelet's (https://kubernetes.io/docs/reference/access-authn-authz/node/)."""
