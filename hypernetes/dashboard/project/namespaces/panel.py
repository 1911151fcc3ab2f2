# SPDX-License-Identifier: Apache-2.0
"""Registers the panel."""

import horizon
from django.utils.translation import gettext_lazy as _


class Namespaces(horizon.Panel):
    """Namespaces of the project."""

    name = _("Namespaces")
    slug = "kubernetes_namespaces"
    permissions = ("openstack.services.kubernetes",)
    policy_rules = (("kubernetes", "kubernetes:namespace:list"),)
