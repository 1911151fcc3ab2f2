# SPDX-License-Identifier: Apache-2.0
"""Registers the panel."""

import horizon
from django.utils.translation import gettext_lazy as _


class Clusters(horizon.Panel):
    """All clusters, with what only the operator sees of them."""

    name = _("Clusters")
    slug = "kubernetes_clusters"
    permissions = ("openstack.services.kubernetes",)
    policy_rules = (("kubernetes", "kubernetes:cluster:get_control_nodes"),)
