# SPDX-License-Identifier: Apache-2.0
"""Registers the panel."""

import horizon
from django.utils.translation import gettext_lazy as _


class Clusters(horizon.Panel):
    """Clusters in which the project may have namespaces."""

    name = _("Clusters")
    slug = "kubernetes_clusters"
    permissions = ("openstack.services.kubernetes",)
    policy_rules = (("kubernetes", "kubernetes:cluster:list"),)
