# SPDX-License-Identifier: Apache-2.0
"""Adds the panel Namespaces to the dashboard Project."""

PANEL = "kubernetes_namespaces"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "kubernetes"
ADD_PANEL = "hypernetes.dashboard.project.namespaces.panel.Namespaces"
