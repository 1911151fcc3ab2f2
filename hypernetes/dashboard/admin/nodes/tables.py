# SPDX-License-Identifier: Apache-2.0
"""The table of nodes."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables
from horizon.utils import filters

from hypernetes.dashboard import api
from hypernetes.dashboard import statuses


class CreateNode(tables.LinkAction):
    """Opens the form."""

    name = "create"
    verbose_name = _("Create Node")
    url = "horizon:admin:kubernetes_nodes:create"
    classes = ("ajax-modal",)
    icon = "plus"
    policy_rules = (("kubernetes", "kubernetes:node:create"),)


class DisableNode(tables.LinkAction):
    """Opens the form that asks for the reason."""

    name = "disable"
    verbose_name = _("Disable Node")
    url = "horizon:admin:kubernetes_nodes:disable"
    classes = ("ajax-modal", "btn-confirm")
    icon = "pause"
    policy_rules = (("kubernetes", "kubernetes:node:update"),)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the node accepts new pods."""
        return bool(datum and datum.status != "DELETING" and not datum.disabled)


class EnableNode(tables.BatchAction):
    """Lets new pods start on the node again."""

    name = "enable"
    icon = "play"
    policy_rules = (("kubernetes", "kubernetes:node:update"),)

    @staticmethod
    def action_present(count: int) -> Any:
        """Return what the button says."""
        return ngettext_lazy("Enable Node", "Enable Nodes", count)

    @staticmethod
    def action_past(count: int) -> Any:
        """Return what the message says afterwards."""
        return ngettext_lazy("Enabled Node", "Enabled Nodes", count)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the node is disabled."""
        return bool(datum and datum.status != "DELETING" and datum.disabled)

    def action(self, request: Any, datum_id: str) -> None:
        """Enable one node."""
        with api.translated():
            api.kubernetes(request).update_node(datum_id, disabled=False)


class DeleteNode(tables.DeleteAction):
    """Requests the deletion."""

    policy_rules = (("kubernetes", "kubernetes:node:delete"),)
    help_text = _("The node's credentials are revoked. A cluster's control node cannot be deleted.")

    @staticmethod
    def action_present(count: int) -> Any:
        """Return what the button says."""
        return ngettext_lazy("Delete Node", "Delete Nodes", count)

    @staticmethod
    def action_past(count: int) -> Any:
        """Return what the message says afterwards."""
        return ngettext_lazy("Scheduled deletion of Node", "Scheduled deletion of Nodes", count)

    def allowed(self, request: Any, datum: Any = None) -> bool:
        """Whether the node is not being deleted already."""
        return datum is None or datum.status != "DELETING"

    def delete(self, request: Any, obj_id: str) -> None:
        """Delete one node."""
        with api.translated():
            api.kubernetes(request).delete_node(obj_id, ignore_missing=False)


class NodeRow(statuses.Row):
    """A node's row."""

    noun = "node"


def scheduling(node: Any) -> Any:
    """Return whether new pods start on a node, and if not, why."""
    if not node.disabled:
        return _("Enabled")
    return _("Disabled: %s") % node.disabled_reason if node.disabled_reason else _("Disabled")


class NodesTable(tables.DataTable):
    """All nodes."""

    name = tables.WrappingColumn("name", verbose_name=_("Name"))
    status = tables.Column(
        "status",
        verbose_name=_("Status"),
        status=True,
        status_choices=statuses.CHOICES,
        display_choices=statuses.DISPLAY,
    )
    status_reason = tables.WrappingColumn("status_reason", verbose_name=_("Reason"))
    scheduling = tables.WrappingColumn(scheduling, verbose_name=_("New Pods"))
    address = tables.Column("address", verbose_name=_("Address"))
    agent_version = tables.Column("agent_version", verbose_name=_("Agent Version"))
    last_seen_at = tables.Column(
        "last_seen_at", verbose_name=_("Last Heartbeat"), filters=(filters.parse_isotime, filters.timesince_sortable)
    )

    class Meta:
        """Horizon's settings of the table."""

        name = "nodes"
        verbose_name = _("Nodes")
        status_columns = ("status",)
        row_class = NodeRow
        table_actions = (CreateNode, DeleteNode)
        row_actions = (DisableNode, EnableNode, DeleteNode)
