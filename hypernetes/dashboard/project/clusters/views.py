# SPDX-License-Identifier: Apache-2.0
"""The pages: the list, one cluster, and its kubeconfig."""

import functools
from typing import Any

import yaml
from django import http
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from horizon import exceptions
from horizon import tables
from horizon import views

from hypernetes.dashboard import api
from hypernetes.dashboard import form_view
from hypernetes.dashboard.project.clusters import forms as cluster_forms
from hypernetes.dashboard.project.clusters import tables as cluster_tables

INDEX = "horizon:project:kubernetes_clusters:index"


class IndexView(tables.DataTableView):
    """The clusters."""

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


def cluster_of(request: Any, cluster_id: Any, index: str) -> Any:
    """Return a cluster, or go back to the list with a message."""
    try:
        with api.translated():
            return api.kubernetes(request).get_cluster(str(cluster_id))
    except exceptions.HorizonException:
        exceptions.handle(request, _("Unable to show the cluster."), redirect=reverse(index))
        raise


class DetailView(views.HorizonTemplateView):
    """One cluster, and the commands to use it."""

    template_name = "kubernetes/cluster.html"
    page_title = "{{ cluster.name }}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        cluster = cluster_of(self.request, self.kwargs["cluster_id"], INDEX)
        table = cluster_tables.ClustersTable(self.request)
        return context | {
            "cluster": cluster,
            "url": reverse(INDEX),
            "actions": table.render_row_actions(cluster),
            "ready": bool(cluster.api_address and cluster.ca_certificate),
        }


@method_decorator(never_cache, name="dispatch")
class KubeconfigView(form_view.FormView):
    """A kubeconfig, as a file to download."""

    form_class = cluster_forms.Kubeconfig
    form_id = "kubeconfig_form"
    ajax_template_name = "kubernetes/_kubeconfig.html"
    page_title = _("Download kubeconfig")
    submit_label = _("Download kubeconfig")

    @functools.cached_property
    def cluster(self) -> Any:
        """Return the cluster that the page is about."""
        return cluster_of(self.request, self.kwargs["cluster_id"], INDEX)

    def get_initial(self) -> dict[str, Any]:
        """Return what the form begins with."""
        return {"cluster": self.cluster}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        submit = reverse("horizon:project:kubernetes_clusters:kubeconfig", args=(self.cluster.id,))
        return context | {"cluster": self.cluster, "submit_url": submit}

    def form_valid(self, form: Any) -> Any:
        """Return the file."""
        document = form.handle(self.request, form.cleaned_data)
        if not document:
            return self.form_invalid(form)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        response = http.HttpResponse(text, content_type="application/yaml")
        response["Content-Disposition"] = content_disposition_header(True, f"{self.cluster.name}.kubeconfig")
        return response
