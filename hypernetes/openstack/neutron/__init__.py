# SPDX-License-Identifier: Apache-2.0
"""Networks, routers and security groups in tenants' projects, and pods' ports.

What we make carries a description that names our record (``hypernetes:<kind>:<record id>``), given in the request that
creates it, so that what a killed conductor made but did not record is found again. Tenants can write descriptions
too: every such look-up filters by the project, and nothing of another project is ever deleted by its mark.

Errors are those of :func:`hypernetes.openstack.failures.translated`; a missing object is None or done, not an error.
"""
