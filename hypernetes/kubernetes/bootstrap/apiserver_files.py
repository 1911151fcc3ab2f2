# SPDX-License-Identifier: Apache-2.0
"""Renders the files kube-apiserver reads at its start, without I/O; the agent writes them on the control node.

The agent writes each file 0600 below :data:`DIRECTORY`. All but :func:`encryption_configuration` travel in a phase
order and hold nothing secret; that one is rendered on the node itself, so that its key never leaves it.
"""

import base64
from typing import Any
from urllib import parse

import yaml

DIRECTORY = "/etc/kubernetes/hypernetes"
"""Directory on the control node, mounted read-only into kube-apiserver's static pod."""
AUDIT_LOG_DIRECTORY = "/var/log/kubernetes/audit"

WEBHOOK = f"{DIRECTORY}/webhook.yaml"
CLIENT_CERTIFICATE = f"{DIRECTORY}/webhook-client.crt"
CLIENT_KEY = f"{DIRECTORY}/webhook-client.key"
ADMISSION = f"{DIRECTORY}/admission.yaml"
AUTHENTICATION = f"{DIRECTORY}/authentication.yaml"
AUDIT_POLICY = f"{DIRECTORY}/audit-policy.yaml"
ENCRYPTION = f"{DIRECTORY}/encryption.yaml"

ENCRYPTION_KEY_BYTES = 32
"""Length of the key of :func:`encryption_configuration`."""

_HEALTH_PATHS = ("/livez", "/readyz", "/healthz")


def webhook_kubeconfig(url: str, ca_pem: str) -> str:
    """Return the kubeconfig with which kube-apiserver calls hypernetes-webhook.

    Its current context is for TokenReviews. An admission webhook's URL stands in an object of the apiserver, and only
    its client certificate here, as that of the user who is named as the URL's host.

    :param url: https URL of the TokenReview webhook for this cluster.
    :param ca_pem: the CA that signed the webhook's certificate; public.
    :raises ValueError: the URL is not https, so tokens would travel in the clear.
    """
    if not url.startswith("https://"):
        raise ValueError(f"the webhook's URL must be https, not {url}")
    ca = base64.b64encode(ca_pem.encode()).decode()
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hypernetes", "cluster": {"server": url, "certificate-authority-data": ca}}],
            "users": [{"name": "kube-apiserver", "user": {}}, {"name": parse.urlsplit(url).netloc, "user": {}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "hypernetes", "user": "kube-apiserver"}}],
            "current-context": "webhook",
        }
    )


def with_client_certificate(kubeconfig: str) -> str:
    """Return the webhook's kubeconfig with the certificate that the operator put on the node.

    It names files, so that a renewed certificate is used without a restart.
    """
    document = yaml.safe_load(kubeconfig)
    for user in document["users"]:
        user["user"] = {"client-certificate": CLIENT_CERTIFICATE, "client-key": CLIENT_KEY}
    return _yaml(document)


def authentication_configuration() -> str:
    """Return the configuration that allows anonymous requests to the health checks (for kubelet's probes) only."""
    return _yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": [{"path": path} for path in _HEALTH_PATHS]},
        }
    )


def admission_configuration() -> str:
    """Return the configuration that gives admission webhooks the client certificates of :data:`WEBHOOK`."""
    webhooks = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": WEBHOOK,
    }
    return _yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AdmissionConfiguration",
            "plugins": [{"name": "ValidatingAdmissionWebhook", "configuration": webhooks}],
        }
    )


def audit_policy() -> str:
    """Return the audit policy: who did what to which object, never a body, since bodies hold Secrets and tokens."""
    return _yaml(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                {"level": "None", "nonResourceURLs": [*(f"{path}*" for path in _HEALTH_PATHS), "/version"]},
                # The cluster's own reads would drown those of users and pods.
                {
                    "level": "None",
                    "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"],
                    "verbs": ["get", "list", "watch"],
                },
                {
                    "level": "None",
                    "users": ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"],
                    "verbs": ["get", "list", "watch"],
                },
                {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
                {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
                {"level": "Metadata"},
            ],
        }
    )


def encryption_configuration(key: bytes) -> str:
    """Return the configuration that encrypts Secrets in etcd with ``key``.

    The result is secret: mode 0600, and it never leaves the control node.

    :raises ValueError: the key does not have :data:`ENCRYPTION_KEY_BYTES` bytes.
    """
    if len(key) != ENCRYPTION_KEY_BYTES:
        raise ValueError(f"the encryption key must have {ENCRYPTION_KEY_BYTES} bytes")
    secret = base64.b64encode(key).decode()
    return _yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [
                {
                    "resources": ["secrets"],
                    "providers": [{"secretbox": {"keys": [{"name": "key1", "secret": secret}]}}, {"identity": {}}],
                }
            ],
        }
    )


def control_node_files(webhook_url: str, webhook_ca_pem: str) -> dict[str, str]:
    """Return the content of every file that may be sent in a phase order, by its name below :data:`DIRECTORY`."""
    return {
        "webhook.yaml": webhook_kubeconfig(webhook_url, webhook_ca_pem),
        "admission.yaml": admission_configuration(),
        "authentication.yaml": authentication_configuration(),
        "audit-policy.yaml": audit_policy(),
    }


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)
