# SPDX-License-Identifier: Apache-2.0
"""Keystone's answers, as its API documents them."""

from typing import Any

CLUSTER = "11111111-1111-4111-8111-111111111111"
OTHER_CLUSTER = "22222222-2222-4222-8222-222222222222"


def project_token(*roles: str, **changes: Any) -> dict[str, Any]:
    """The ``token`` object of one scoped to the project red."""
    token = {
        "methods": ["password"],
        "user": {"id": "u1", "name": "system:kube-controller-manager", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "red", "name": "Red", "domain": {"id": "default", "name": "Default"}},
        "is_domain": False,
        "roles": [{"id": f"role-{name}", "name": name} for name in roles],
        "expires_at": "2100-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        **changes,
    }
    return {key: value for key, value in token.items() if value is not None}


def rule(path: str, method: str = "POST", service: str = "kubernetes") -> dict[str, str]:
    """An access rule."""
    return {"id": "r1", "service": service, "method": method, "path": path}
