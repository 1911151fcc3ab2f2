# SPDX-License-Identifier: Apache-2.0
"""The pages: the list, the forms, and the enrollment secret, once."""

from typing import Any

from django.shortcuts import render
from django.urls import reverse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from horizon import exceptions
from horizon import tables
from horizon.utils import http

from hypernetes.dashboard import api
from hypernetes.dashboard import form_view
from hypernetes.dashboard.admin.nodes import forms as node_forms
from hypernetes.dashboard.admin.nodes import tables as node_tables

INDEX = "horizon:admin:kubernetes_nodes:index"


class IndexView(tables.DataTableView):
    """All nodes."""

    table_class = node_tables.NodesTable
    page_title = _("Nodes")

    def get_data(self) -> list[Any]:
        """Return the rows."""
        try:
            with api.translated():
                return list(api.kubernetes(self.request).nodes())
        except exceptions.HorizonException:
            exceptions.handle(self.request, _("Unable to list the nodes."))
            return []


@method_decorator(never_cache, name="dispatch")
class CreateView(form_view.FormView):
    """The form that creates a node; its response holds the secret, which is kept nowhere."""

    form_class = node_forms.CreateNode
    form_id = "create_node_form"
    ajax_template_name = "kubernetes/_create_node.html"
    page_title = _("Create Node")
    submit_label = _("Create Node")
    submit_url = reverse_lazy("horizon:admin:kubernetes_nodes:create")
    success_url = reverse_lazy(INDEX)

    def form_valid(self, form: Any) -> Any:
        """Show the secret."""
        node = form.handle(self.request, form.cleaned_data)
        if not node:
            return self.form_invalid(form)
        template = "kubernetes/_node_created.html"
        context = {
            "node": node,
            "page_title": _("Enrollment Secret"),
            "form_template": template,
            "close_url": reverse(INDEX),
            "hide": http.is_ajax(self.request),
            "modal_backdrop": "static",
        }
        return render(self.request, template if context["hide"] else self.template_name, context)


class DisableView(form_view.FormView):
    """The form that disables a node."""

    form_class = node_forms.DisableNode
    form_id = "disable_node_form"
    ajax_template_name = "kubernetes/_disable_node.html"
    page_title = _("Disable Node")
    submit_label = _("Disable Node")
    success_url = reverse_lazy(INDEX)

    def get_initial(self) -> dict[str, Any]:
        """Return what the form begins with."""
        return {"node_id": str(self.kwargs["node_id"])}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        submit = reverse("horizon:admin:kubernetes_nodes:disable", args=(self.kwargs["node_id"],))
        return context | {"submit_url": submit}
