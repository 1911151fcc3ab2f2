# SPDX-License-Identifier: Apache-2.0
"""The table of namespaces, and those of a namespace's pods and events."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables
from horizon.utils import filters

from hypernetes.dashboard import api
from hypernetes.dashboard import statuses


class CreateNamespace(tables.LinkAction):
    """Opens the form."""

    name = "create"
    verbose_name = _("Create Namespace")
    url = "horizon:project:kubernetes_namespaces:create"
    classes = ("ajax-modal",)
    icon = "plus"
    policy_rules = (("kubernetes", "kubernetes:namespace:create"),)


class DescribeNamespace(tables.LinkAction):
    """Opens the form that changes the description."""

    name = "describe"
    verbose_name = _("Edit Namespace")
    url = "horizon:project:kubernetes_namespaces:describe"
    classes = ("ajax-modal",)
    icon = "pencil"
    policy_rules = (("kubernetes", "kubernetes:namespace:update"),)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the namespace is not being deleted."""
        return bool(datum and datum.status != "DELETING")


class DeleteNamespace(tables.DeleteAction):
    """Requests the deletion; the row shows its progress and disappears at its end."""

    policy_rules = (("kubernetes", "kubernetes:namespace:delete"),)
    help_text = _("Everything in the namespace is deleted, and the network that was created for it.")

    @staticmethod
    def action_present(count: int) -> Any:
        """Return what the button says."""
        return ngettext_lazy("Delete Namespace", "Delete Namespaces", count)

    @staticmethod
    def action_past(count: int) -> Any:
        """Return what the message says afterwards."""
        return ngettext_lazy("Scheduled deletion of Namespace", "Scheduled deletion of Namespaces", count)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the namespace is not being deleted already."""
        return datum is None or datum.status != "DELETING"

    def delete(self, request: Any, obj_id: str) -> None:
        """Delete one namespace."""
        with api.translated():
            api.kubernetes(request).delete_namespace(obj_id, ignore_missing=False)


class NamespaceFilter(tables.FilterAction):
    """Filters by name."""

    def filter(self, table: Any, data: list[Any], filter_string: str) -> list[Any]:
        """Return the namespaces whose names contain the text."""
        return [namespace for namespace in data if filter_string.lower() in namespace.name]


class NamespaceRow(statuses.Row):
    """A namespace's row."""

    noun = "namespace"


def network_link(namespace: Any) -> str | None:
    """Return the address of the panel that shows the namespace's network."""
    if not namespace.network_id:
        return None
    return str(reverse("horizon:project:networks:detail", args=(namespace.network_id,)))


class NamespacesTable(tables.DataTable):
    """The project's namespaces."""

    name = tables.WrappingColumn("name", verbose_name=_("Name"), link="horizon:project:kubernetes_namespaces:detail")
    description = tables.WrappingColumn("description", verbose_name=_("Description"))
    status = tables.Column(
        "status",
        verbose_name=_("Status"),
        status=True,
        status_choices=statuses.CHOICES,
        display_choices=statuses.DISPLAY,
    )
    status_reason = tables.WrappingColumn("status_reason", verbose_name=_("Reason"))
    subnet_cidr = tables.Column("subnet_cidr", verbose_name=_("Subnet"), link=network_link)
    created_at = tables.Column(
        "created_at", verbose_name=_("Created"), filters=(filters.parse_isotime, filters.timesince_sortable)
    )

    class Meta:
        """Horizon's settings of the table."""

        name = "namespaces"
        verbose_name = _("Namespaces")
        status_columns = ("status",)
        row_class = NamespaceRow
        table_actions = (NamespaceFilter, CreateNamespace, DeleteNamespace)
        row_actions = (DescribeNamespace, DeleteNamespace)


class PodsTable(tables.DataTable):
    """Pods of a namespace."""

    name = tables.WrappingColumn("name", verbose_name=_("Name"))
    status = tables.Column("status", verbose_name=_("Status"))
    ready = tables.Column("ready", verbose_name=_("Ready"))
    restarts = tables.Column("restarts", verbose_name=_("Restarts"))
    address = tables.Column("address", verbose_name=_("IP Address"))
    machine = tables.Column("machine", verbose_name=_("Virtual Machine"))
    node = tables.Column("node", verbose_name=_("Node"))
    started_at = tables.Column(
        "started_at", verbose_name=_("Started"), filters=(filters.parse_isotime, filters.timesince_sortable)
    )

    class Meta:
        """Horizon's settings of the table."""

        name = "pods"
        verbose_name = _("Pods")


class EventsTable(tables.DataTable):
    """Events of a namespace."""

    seen_at = tables.Column(
        "seen_at", verbose_name=_("Last Seen"), filters=(filters.parse_isotime, filters.timesince_sortable)
    )
    type = tables.Column("type", verbose_name=_("Type"))
    reason = tables.Column("reason", verbose_name=_("Reason"))
    object = tables.WrappingColumn("object", verbose_name=_("Object"))
    message = tables.WrappingColumn("message", verbose_name=_("Message"))
    count = tables.Column("count", verbose_name=_("Count"))

    class Meta:
        """Horizon's settings of the table."""

        name = "events"
        verbose_name = _("Events")

    def get_object_display(self, datum: Any) -> str:
        """Return what a screen reader says of a row."""
        return str(datum.reason)
