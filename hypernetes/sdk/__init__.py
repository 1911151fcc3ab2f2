# SPDX-License-Identifier: Apache-2.0
"""Hypernetes for openstacksdk: one module per resource, a proxy, and what registers it on a connection.

The package imports openstacksdk and no server code. ``openstack kube`` and the dashboard are built on it.
"""
