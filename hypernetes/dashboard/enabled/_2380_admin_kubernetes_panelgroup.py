# SPDX-License-Identifier: Apache-2.0
"""Adds the group Kubernetes to the dashboard Admin."""

from django.utils.translation import gettext_lazy as _

PANEL_GROUP = "kubernetes"
PANEL_GROUP_NAME = _("Kubernetes")
PANEL_GROUP_DASHBOARD = "admin"
