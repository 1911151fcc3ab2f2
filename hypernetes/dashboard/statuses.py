# SPDX-License-Identifier: Apache-2.0
"""How Horizon's tables show a status: which ones are good, which are bad, and which change by themselves."""

from typing import Any

from django.utils.translation import pgettext_lazy
from horizon import tables

from hypernetes.dashboard import api

CHOICES = (
    ("ACTIVE", True),
    ("UP", True),
    ("ERROR", False),
    ("DOWN", False),
    ("CREATING", None),
    ("ENROLLING", None),
    ("DELETING", None),
)
"""None stands for a status that is on its way to another: Horizon asks for the row again until it has changed."""

DISPLAY = (
    ("ACTIVE", pgettext_lazy("Status of a namespace or a cluster", "Active")),
    ("UP", pgettext_lazy("Status of a node", "Up")),
    ("ERROR", pgettext_lazy("Status of a namespace or a cluster", "Error")),
    ("DOWN", pgettext_lazy("Status of a node", "Down")),
    ("CREATING", pgettext_lazy("Status of a namespace or a cluster", "Creating")),
    ("ENROLLING", pgettext_lazy("Status of a node", "Waiting for the agent")),
    ("DELETING", pgettext_lazy("Status of a namespace, a cluster or a node", "Deleting")),
)


class Row(tables.Row):
    """A row that Horizon asks for again while its status changes; it disappears when its object is gone."""

    ajax = True
    noun = ""
    """The resource as the SDK's methods name it."""

    def get_data(self, request: Any, object_id: str) -> Any:
        """Return the object of the row as it is now."""
        with api.translated():
            return getattr(api.kubernetes(request), f"get_{self.noun}")(object_id)
