# SPDX-License-Identifier: Apache-2.0
"""The tabs of a namespace's page: overview, pods, events."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import messages
from horizon import tabs

from hypernetes.dashboard import apiserver
from hypernetes.dashboard.project.namespaces import tables


class OverviewTab(tabs.Tab):
    """What the API knows of the namespace."""

    name = _("Overview")
    slug = "overview"
    template_name = "kubernetes/namespace_overview.html"

    def get_context_data(self, request: Any) -> dict[str, Any]:
        """Return what the template needs."""
        namespace = self.tab_group.kwargs["namespace"]
        return {
            "namespace": namespace,
            "cluster": self.tab_group.kwargs["cluster"],
            "network_url": tables.network_link(namespace),
        }


class _ApiserverTab(tabs.TableTab):
    """A tab whose objects the apiserver has."""

    template_name = "horizon/common/_detail_table.html"
    preload = False

    def ask(self, source: Callable[[Any, str, str], list[Any]]) -> list[Any]:
        """Return the objects, or none with a message that says why."""
        kwargs = self.tab_group.kwargs
        try:
            return source(kwargs["cluster"], self.request.user.token.id, kwargs["namespace"].name)
        except apiserver.ApiserverSilent as error:
            reason = _("The cluster's apiserver did not answer, so nothing is shown: %s") % error
            messages.warning(self.request, reason)
            return []


class PodsTab(_ApiserverTab):
    """The namespace's pods."""

    name = _("Pods")
    slug = "pods"
    table_classes = (tables.PodsTable,)

    def get_pods_data(self) -> list[Any]:
        """Return the rows."""
        return self.ask(apiserver.pods)


class EventsTab(_ApiserverTab):
    """The namespace's events."""

    name = _("Events")
    slug = "events"
    table_classes = (tables.EventsTable,)

    def get_events_data(self) -> list[Any]:
        """Return the rows."""
        return self.ask(apiserver.events)


class NamespaceTabs(tabs.TabGroup):
    """The page's tabs."""

    slug = "namespace_tabs"
    tabs = (OverviewTab, PodsTab, EventsTab)
    sticky = True
