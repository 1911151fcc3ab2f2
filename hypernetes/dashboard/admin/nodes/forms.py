# SPDX-License-Identifier: Apache-2.0
"""The forms that create a node and that disable one."""

import re
from typing import Any

from django.core import validators
from django.utils.translation import gettext_lazy as _
from horizon import exceptions
from horizon import forms
from horizon import messages

from hypernetes.dashboard import api

_NAME = validators.RegexValidator(
    re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z"),
    _("Use lower-case letters, digits and hyphens; begin and end with a letter or a digit."),
)


class CreateNode(forms.SelfHandlingForm):
    """The node's host name."""

    name = forms.CharField(label=_("Host Name"), max_length=63, validators=[_NAME])

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Create the node and return it with its secret."""
        try:
            with api.translated():
                return api.kubernetes(request).create_node(name=data["name"])
        except exceptions.HorizonException as error:
            self.api_error(str(error))
            return False


class DisableNode(forms.SelfHandlingForm):
    """Why the node is disabled."""

    node_id = forms.CharField(widget=forms.HiddenInput())
    reason = forms.CharField(label=_("Reason"), max_length=255, required=False)

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Disable the node."""
        try:
            with api.translated():
                node = api.kubernetes(request).update_node(
                    data["node_id"], disabled=True, disabled_reason=data["reason"] or None
                )
        except exceptions.HorizonException as error:
            self.api_error(str(error))
            return False
        messages.success(request, _("Disabled node %s.") % node.name)
        return True
