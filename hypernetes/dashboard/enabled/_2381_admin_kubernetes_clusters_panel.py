# SPDX-License-Identifier: Apache-2.0
"""Adds the panel Clusters to the dashboard Admin."""

PANEL = "kubernetes_clusters"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "kubernetes"
ADD_PANEL = "hypernetes.dashboard.admin.clusters.panel.Clusters"
