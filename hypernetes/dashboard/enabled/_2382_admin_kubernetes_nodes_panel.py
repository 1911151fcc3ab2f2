# SPDX-License-Identifier: Apache-2.0
"""Adds the panel Nodes to the dashboard Admin."""

PANEL = "kubernetes_nodes"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "kubernetes"
ADD_PANEL = "hypernetes.dashboard.admin.nodes.panel.Nodes"
