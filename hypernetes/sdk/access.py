# SPDX-License-Identifier: Apache-2.0
"""What an application credential must allow for kubectl: a login to one cluster, and nothing else."""

from hypernetes.sdk import cluster
from hypernetes.sdk import service


def rules(cluster_id: str) -> list[dict[str, str]]:
    """Return the one access rule that allows a login to a cluster, and nothing else anywhere."""
    return [{"service": service.SERVICE_TYPE, "method": "POST", "path": cluster.token_review_path(cluster_id)}]
