# SPDX-License-Identifier: Apache-2.0
"""The table of clusters."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import tables

from hypernetes.dashboard import statuses


class GetKubeconfig(tables.LinkAction):
    """Opens the form that makes a kubeconfig; as a page, since a dialog cannot receive a file."""

    name = "kubeconfig"
    verbose_name = _("Download kubeconfig")
    url = "horizon:project:kubernetes_clusters:kubeconfig"
    icon = "download"
    policy_rules = (("kubernetes", "kubernetes:cluster:get"),)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the cluster has an address yet."""
        return bool(datum and datum.api_address and datum.ca_certificate)


class ClusterRow(statuses.Row):
    """A cluster's row."""

    noun = "cluster"


class ClustersTable(tables.DataTable):
    """The clusters."""

    name = tables.WrappingColumn("name", verbose_name=_("Name"), link="horizon:project:kubernetes_clusters:detail")
    status = tables.Column(
        "status",
        verbose_name=_("Status"),
        status=True,
        status_choices=statuses.CHOICES,
        display_choices=statuses.DISPLAY,
    )
    kubernetes_version = tables.Column("kubernetes_version", verbose_name=_("Kubernetes Version"))
    api_address = tables.Column("api_address", verbose_name=_("API Address"))

    class Meta:
        """Horizon's settings of the table."""

        name = "clusters"
        verbose_name = _("Clusters")
        status_columns = ("status",)
        row_class = ClusterRow
        row_actions = (GetKubeconfig,)
