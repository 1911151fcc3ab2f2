# SPDX-License-Identifier: Apache-2.0
"""Role bindings whose subjects name what is gone.

A service account is named by its namespace. Once a namespace is deleted, another tenant may use its name, and would
with it hold what was bound to the service accounts there.
"""

from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes import client as clients

_MERGE_PATCH = "application/merge-patch+json"


def forget_service_accounts(client: clients.ClusterClient, namespace: str) -> int:
    """Remove the service accounts of a deleted namespace from the role bindings of all others.

    The namespace must be gone already: while its own bindings exist, its tenant may bind them again.

    :returns: the number of bindings that were changed or deleted.
    :raises errors.Unavailable: when the apiserver does not answer, or a binding has changed meanwhile.
    """
    changed = 0
    for binding in client.list(rbac.RoleBinding, clients.ALL_NAMESPACES):
        subjects = binding.subjects or []
        kept = [s for s in subjects if s.kind != "ServiceAccount" or s.namespace != namespace]
        metadata = binding.metadata
        if len(kept) == len(subjects) or metadata is None or metadata.namespace == namespace:
            continue
        changed += 1
        if not kept:
            client.delete(rbac.RoleBinding, str(metadata.name), metadata.namespace, uid=metadata.uid)
            continue
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{metadata.namespace}/rolebindings/{metadata.name}"
        body = {
            "metadata": {"resourceVersion": metadata.resourceVersion},
            "subjects": [subject.to_dict() for subject in kept],
        }
        client.request("PATCH", path, body=body, content_type=_MERGE_PATCH)
    return changed
