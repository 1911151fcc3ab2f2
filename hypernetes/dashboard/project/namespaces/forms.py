# SPDX-License-Identifier: Apache-2.0
"""The forms that create a namespace and that describe one."""

import re
from ipaddress import IPv4Network
from typing import Any

from django.core import validators
from django.utils.translation import gettext_lazy as _
from horizon import exceptions
from horizon import forms
from horizon import messages
from openstack_dashboard.api import neutron

from hypernetes.dashboard import api

NEXT, CIDR, EXISTING = "next", "cidr", "existing"

_NAME = validators.RegexValidator(
    re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z"),
    _("Use lower-case letters, digits and hyphens; begin and end with a letter or a digit."),
)


def _switched(on: str, label: Any) -> dict[str, Any]:
    return {"class": "switched", "data-switch-on": "network", f"data-network-{on}": label}


class CreateNamespace(forms.SelfHandlingForm):
    """Name, cluster, and where the namespace's network comes from."""

    name = forms.CharField(
        label=_("Name"), max_length=63, validators=[_NAME], help_text=_("It must be unique in the cluster.")
    )
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    cluster = forms.ThemableChoiceField(label=_("Cluster"))
    network = forms.ThemableChoiceField(
        label=_("Network"),
        choices=(
            (NEXT, _("New network, the next free subnet")),
            (CIDR, _("New network with this subnet")),
            (EXISTING, _("Existing network")),
        ),
        widget=forms.ThemableSelectWidget(attrs={"class": "switchable", "data-slug": "network"}),
    )
    subnet_cidr = forms.CharField(
        label=_("Subnet"),
        required=False,
        help_text=_("Network address in CIDR format, for example 10.1.0.0/24."),
        widget=forms.TextInput(attrs=_switched(CIDR, _("Subnet"))),
    )
    network_id = forms.ThemableChoiceField(
        label=_("Existing Network"),
        required=False,
        widget=forms.ThemableSelectWidget(attrs=_switched(EXISTING, _("Existing Network"))),
    )

    def __init__(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["cluster"].choices = _clusters(request)
        self.fields["network_id"].choices = _networks(request)

    def clean(self) -> dict[str, Any]:
        """Check what the choice of a network needs.

        :raises django.forms.ValidationError: when a field that the choice needs is missing or wrong.
        """
        data: dict[str, Any] = super().clean()
        chosen = data.get("network")
        if chosen == CIDR:
            try:
                IPv4Network(data.get("subnet_cidr") or "")
            except ValueError:
                self.add_error("subnet_cidr", _("Enter an IPv4 network in CIDR format, for example 10.1.0.0/24."))
        if chosen == EXISTING and not data.get("network_id"):
            self.add_error("network_id", _("Choose a network."))
        return data

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Create the namespace; its row shows the progress."""
        attributes = {"name": data["name"], "cluster": data["cluster"]}
        if data["description"]:
            attributes["description"] = data["description"]
        if data["network"] == CIDR:
            attributes["subnet_cidr"] = data["subnet_cidr"]
        elif data["network"] == EXISTING:
            attributes["network_id"] = data["network_id"]
        try:
            with api.translated():
                namespace = api.kubernetes(request).create_namespace(**attributes)
        except exceptions.HorizonException as error:
            # The API names what is wrong and what to do; the form stays open for it.
            self.api_error(str(error))
            return False
        messages.info(request, _("Creating namespace %s.") % data["name"])
        return namespace


class DescribeNamespace(forms.SelfHandlingForm):
    """What a namespace is for."""

    namespace_id = forms.CharField(widget=forms.HiddenInput())
    description = forms.CharField(label=_("Description"), max_length=255, required=False)

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Change the description; an empty one is removed."""
        try:
            with api.translated():
                api.kubernetes(request).update_namespace(data["namespace_id"], description=data["description"] or None)
        except exceptions.HorizonException as error:
            self.api_error(str(error))
            return False
        return True


def _clusters(request: Any) -> list[tuple[str, Any]]:
    try:
        with api.translated():
            found = [one for one in api.kubernetes(request).clusters() if one.status == "ACTIVE"]
    except exceptions.HorizonException:
        exceptions.handle(request, _("Unable to list the clusters."))
        return []
    choices = [(one.id, one.name) for one in found]
    return choices if len(choices) == 1 else [("", _("Choose a cluster")), *choices]


def _networks(request: Any) -> list[tuple[str, Any]]:
    try:
        networks = neutron.network_list(request, tenant_id=request.user.tenant_id)
    except Exception:
        exceptions.handle(request, _("Unable to list the networks."))
        return []
    return [("", _("Choose a network")), *((one.id, one.name_or_id) for one in networks)]
