# SPDX-License-Identifier: Apache-2.0
"""Registers the panel."""

import horizon
from django.utils.translation import gettext_lazy as _


class Nodes(horizon.Panel):
    """All nodes."""

    name = _("Nodes")
    slug = "kubernetes_nodes"
    permissions = ("openstack.services.kubernetes",)
    policy_rules = (("kubernetes", "kubernetes:node:list"),)
