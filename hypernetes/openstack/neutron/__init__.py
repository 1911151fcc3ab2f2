# SPDX-License-Identifier: Apache-2.0
"""Networks, routers and security groups in tenants' projects, and pods' ports.

What Hypernetes creates carries a description that names the deployment and the record (``hypernetes:<kind>:<record
ID>``), set by the request that creates it, so that what a killed conductor created but did not record is found again.
Tenants can write descriptions too: each search filters by the project, and nothing of another project is ever deleted
by its mark.

Errors are those of :func:`hypernetes.openstack.failures.translated`. A missing object is not an error: it is None when
read, and done when deleted.
"""
