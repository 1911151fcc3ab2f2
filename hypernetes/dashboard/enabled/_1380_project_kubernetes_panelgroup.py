# SPDX-License-Identifier: Apache-2.0
"""Adds the group Kubernetes to the dashboard Project."""

from django.utils.translation import gettext_lazy as _

PANEL_GROUP = "kubernetes"
PANEL_GROUP_NAME = _("Kubernetes")
PANEL_GROUP_DASHBOARD = "project"
ADD_INSTALLED_APPS = ["hypernetes.dashboard"]
