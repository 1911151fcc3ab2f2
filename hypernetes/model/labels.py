# SPDX-License-Identifier: Apache-2.0
"""Labels, annotations and owners of Kubernetes objects that more than one package must agree on."""

PREFIX = "hypernetes.openstack.org/"
PROJECT = PREFIX + "project-id"
NAMESPACE = PREFIX + "namespace-id"
NETWORK = PREFIX + "network-id"

RESERVED_PREFIXES = (PREFIX, "kubernetes.io/")
"""Labels and annotations of a namespace that begin so say whose it is; no tenant may change them."""

ADDRESS_ANNOTATION = PREFIX + "ip-address"
PROBES_ANNOTATION = PREFIX + "probes"
"""On a pod: the address it wants in its namespace's subnet; without it Neutron chooses."""

DISABLED_ANNOTATION = PREFIX + "disabled"
"""On a node: that an operator has disabled it in Hypernetes, and why."""

MANAGED_BY = "app.kubernetes.io/managed-by"
FIELD_MANAGER = "hypernetes"
"""Field manager of every server-side apply of Hypernetes, and the value of the label :data:`MANAGED_BY`."""

ROLE_BINDING_PREFIX = "hypernetes:"
"""Role bindings whose names begin so belong to Hypernetes; an admission policy keeps tenants from changing them."""
