# SPDX-License-Identifier: Apache-2.0
"""The pages: the list, and one cluster with its nodes."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from horizon import exceptions
from horizon import tables
from horizon import views

from hypernetes.dashboard import api
from hypernetes.dashboard.admin.clusters import tables as cluster_tables

INDEX = "horizon:admin:kubernetes_clusters:index"


class IndexView(tables.DataTableView):
    """All clusters."""

    table_class = cluster_tables.ClustersTable
    page_title = _("Clusters")

    def get_data(self) -> list[Any]:
        """Return the rows."""
        try:
            with api.translated():
                return list(api.kubernetes(self.request).clusters())
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to list the clusters."))
            return []


class DetailView(views.HorizonTemplateView):
    """One cluster: its health, its bootstrap's phase, the nodes that it has."""

    template_name = "kubernetes/admin_cluster.html"
    page_title = "{{ cluster.name }}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        try:
            with api.translated():
                client = api.kubernetes(self.request)
                cluster = client.get_cluster(str(self.kwargs["cluster_id"]))
                health = client.get_cluster_health(cluster.id)
                nodes = [node for node in client.nodes() if node.cluster_id == cluster.id]
                namespaces = list(client.namespaces(cluster_id=cluster.id, all_projects=True))
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to show the cluster."), redirect=reverse(INDEX))
            raise
        table = cluster_tables.ClustersTable(self.request)
        return context | {
            "cluster": cluster,
            "health": health,
            "nodes": nodes,
            "control_nodes": [node for node in nodes if node.id in (cluster.control_node_ids or ())],
            "up": sum(1 for node in nodes if node.status == "UP"),
            "namespaces": namespaces,
            "failed": [namespace for namespace in namespaces if namespace.status == "ERROR"],
            "url": reverse(INDEX),
            "actions": table.render_row_actions(cluster),
        }
