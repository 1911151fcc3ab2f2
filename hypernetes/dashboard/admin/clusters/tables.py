# SPDX-License-Identifier: Apache-2.0
"""The operator's table of clusters."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables
from horizon.utils import filters

from hypernetes.dashboard import api
from hypernetes.dashboard import statuses


class RetryCluster(tables.BatchAction):
    """Resumes the bootstrap at the phase that failed."""

    name = "retry"
    icon = "refresh"
    policy_rules = (("kubernetes", "kubernetes:cluster:retry"),)

    @staticmethod
    def action_present(count: int) -> Any:
        """Return what the button says."""
        return ngettext_lazy("Retry Cluster", "Retry Clusters", count)

    @staticmethod
    def action_past(count: int) -> Any:
        """Return what the message says afterwards."""
        return ngettext_lazy("Resumed creation of Cluster", "Resumed creation of Clusters", count)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the cluster's bootstrap has failed."""
        return bool(datum and datum.status == "ERROR")

    def action(self, request: Any, datum_id: str) -> None:
        """Resume one bootstrap."""
        with api.translated():
            api.kubernetes(request).retry_cluster(datum_id)


class ClusterRow(statuses.Row):
    """A cluster's row."""

    noun = "cluster"


class ClustersTable(tables.DataTable):
    """All clusters."""

    name = tables.WrappingColumn("name", verbose_name=_("Name"), link="horizon:admin:kubernetes_clusters:detail")
    status = tables.Column(
        "status",
        verbose_name=_("Status"),
        status=True,
        status_choices=statuses.CHOICES,
        display_choices=statuses.DISPLAY,
    )
    phase = tables.Column("phase", verbose_name=_("Phase"))
    status_reason = tables.WrappingColumn("status_reason", verbose_name=_("Reason"))
    kubernetes_version = tables.Column("kubernetes_version", verbose_name=_("Kubernetes Version"))
    api_address = tables.Column("api_address", verbose_name=_("API Address"))
    created_at = tables.Column(
        "created_at", verbose_name=_("Created"), filters=(filters.parse_isotime, filters.timesince_sortable)
    )

    class Meta:
        """Horizon's settings of the table."""

        name = "clusters"
        verbose_name = _("Clusters")
        status_columns = ("status",)
        row_class = ClusterRow
        row_actions = (RetryCluster,)
        multi_select = False
