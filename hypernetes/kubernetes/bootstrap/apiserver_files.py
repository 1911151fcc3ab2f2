# SPDX-License-Identifier: Apache-2.0
"""Renders the files kube-apiserver reads at its start, without I/O; the agent writes them on the control node.

The agent writes each file 0600 below :data:`DIRECTORY`. All but :func:`encryption_configuration` travel in a phase
order and hold nothing secret; that one is rendered on the node itself, so that its key never leaves it.
"""

import base64
from typing import Any

import yaml

DIRECTORY = "/etc/kubernetes/hypernetes"
"""Folder on the control node, mounted read-only into kube-apiserver's static pod."""
AUDIT_LOG_DIRECTORY = "/var/log/kubernetes/audit"

WEBHOOK = f"{DIRECTORY}/webhook.yaml"
AUTHENTICATION = f"{DIRECTORY}/authentication.yaml"
AUDIT_POLICY = f"{DIRECTORY}/audit-policy.yaml"
ENCRYPTION = f"{DIRECTORY}/encryption.yaml"

ENCRYPTION_KEY_BYTES = 32
"""Length of the key :func:`encryption_configuration` wants."""

_HEALTH_PATHS = ("/livez", "/readyz", "/healthz")


def webhook_kubeconfig(url: str, authority_pem: str) -> str:
    """The kubeconfig by which kube-apiserver finds the TokenReview webhook.

    :param url: https URL of the webhook for this cluster.
    :param authority_pem: the authority that signed the webhook's certificate; public.
    :raises ValueError: the URL is not https, so tokens would travel in the clear.
    """
    if not url.startswith("https://"):
        raise ValueError(f"the webhook's URL must be https, not {url}")
    authority = base64.b64encode(authority_pem.encode()).decode()
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hypernetes", "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": "kube-apiserver", "user": {}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "hypernetes", "user": "kube-apiserver"}}],
            "current-context": "webhook",
        }
    )


def authentication_configuration() -> str:
    """Lets anonymous requests reach the health checks (kubelet's probes use them) and nothing else."""
    return _yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": [{"path": path} for path in _HEALTH_PATHS]},
        }
    )


def audit_policy() -> str:
    """Who did what to which object, never a body: bodies hold Secrets and tokens."""
    return _yaml(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                {"level": "None", "nonResourceURLs": [*(f"{path}*" for path in _HEALTH_PATHS), "/version"]},
                # The cluster's own reading would drown what people and pods do.
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
    """Encrypts Secrets in etcd with ``key``. The result is secret: 0600, and it stays on the control node.

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


def control_node_files(webhook_url: str, webhook_authority_pem: str) -> dict[str, str]:
    """File name below :data:`DIRECTORY` → content, of every file that may travel in a phase order."""
    return {
        "webhook.yaml": webhook_kubeconfig(webhook_url, webhook_authority_pem),
        "authentication.yaml": authentication_configuration(),
        "audit-policy.yaml": audit_policy(),
    }


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)
