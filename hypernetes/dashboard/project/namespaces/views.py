# SPDX-License-Identifier: Apache-2.0
"""The pages: the list, the forms, and one namespace."""

import functools
from typing import Any

from django.urls import reverse
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from horizon import exceptions
from horizon import tables
from horizon import tabs

from hypernetes.dashboard import api
from hypernetes.dashboard import form_view
from hypernetes.dashboard.project.namespaces import forms as namespace_forms
from hypernetes.dashboard.project.namespaces import tables as namespace_tables
from hypernetes.dashboard.project.namespaces import tabs as namespace_tabs

INDEX = "horizon:project:kubernetes_namespaces:index"


class IndexView(tables.DataTableView):
    """The project's namespaces."""

    table_class = namespace_tables.NamespacesTable
    page_title = _("Namespaces")

    def get_data(self) -> list[Any]:
        """Return the rows."""
        try:
            with api.translated():
                return list(api.kubernetes(self.request).namespaces())
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to list the namespaces."))
            return []


class CreateView(form_view.FormView):
    """The form that creates one."""

    form_class = namespace_forms.CreateNamespace
    form_id = "create_namespace_form"
    ajax_template_name = "kubernetes/_create_namespace.html"
    page_title = _("Create Namespace")
    submit_label = _("Create Namespace")
    submit_url = reverse_lazy("horizon:project:kubernetes_namespaces:create")
    success_url = reverse_lazy(INDEX)


class DescribeView(form_view.FormView):
    """The form that describes one."""

    form_class = namespace_forms.DescribeNamespace
    form_id = "describe_namespace_form"
    ajax_template_name = "kubernetes/_describe_namespace.html"
    page_title = _("Edit Namespace")
    submit_label = _("Save Changes")
    success_url = reverse_lazy(INDEX)

    def get_initial(self) -> dict[str, Any]:
        """Return what the form begins with."""
        identifier = str(self.kwargs["namespace_id"])
        try:
            with api.translated():
                namespace = api.kubernetes(self.request).get_namespace(identifier)
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to show the namespace."), redirect=reverse(INDEX))
            raise
        return {"namespace_id": identifier, "description": namespace.description}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        submit = reverse("horizon:project:kubernetes_namespaces:describe", args=(self.kwargs["namespace_id"],))
        return context | {"submit_url": submit}


class DetailView(tabs.TabbedTableView):
    """One namespace."""

    tab_group_class = namespace_tabs.NamespaceTabs
    template_name = "horizon/common/_detail.html"
    page_title = "{{ namespace.name }}"

    @functools.cached_property
    def shown(self) -> tuple[Any, Any]:
        """Return the namespace and its cluster."""
        try:
            with api.translated():
                client = api.kubernetes(self.request)
                namespace = client.get_namespace(str(self.kwargs["namespace_id"]))
                return namespace, client.get_cluster(namespace.cluster_id)
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to show the namespace."), redirect=reverse(INDEX))
            raise

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page needs besides its tabs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        namespace, _cluster = self.shown
        table = namespace_tables.NamespacesTable(self.request)
        context["namespace"] = namespace
        context["url"] = reverse(INDEX)
        context["actions"] = table.render_row_actions(namespace)
        return context

    def get_tabs(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the tabs of the namespace."""
        namespace, cluster = self.shown
        return self.tab_group_class(request, namespace=namespace, cluster=cluster, **kwargs)
