# SPDX-License-Identifier: Apache-2.0
"""Adds the panel Clusters to the dashboard Project."""

PANEL = "kubernetes_clusters"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "kubernetes"
ADD_PANEL = "hypernetes.dashboard.project.clusters.panel.Clusters"
