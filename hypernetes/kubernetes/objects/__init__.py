# SPDX-License-Identifier: Apache-2.0
"""Builders of the objects that Hypernetes applies to a cluster and to a tenant's namespace. No I/O."""
