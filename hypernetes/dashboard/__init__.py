# SPDX-License-Identifier: Apache-2.0
"""Panels for Horizon, in plain Django: what ``openstack kube`` shows and does, with the user's own token.

``project`` has the panels Namespaces and Clusters, ``admin`` has Clusters and Nodes. The files in ``enabled`` and
``local_settings`` go into Horizon's directories ``enabled`` and ``local_settings.d``. The package is built on the SDK
and imports no server code.
"""
