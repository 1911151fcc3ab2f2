# SPDX-License-Identifier: Apache-2.0
"""Metadata of the objects that Hypernetes applies."""

from lightkube.models import meta_v1 as meta

from hypernetes.model import labels


def managed(name: str, namespace: str | None = None) -> meta.ObjectMeta:
    """Return the metadata of an object that is managed by Hypernetes.

    :param namespace: the object's namespace; None for a cluster-scoped object.
    """
    return meta.ObjectMeta(name=name, namespace=namespace, labels={labels.MANAGED_BY: labels.FIELD_MANAGER})
