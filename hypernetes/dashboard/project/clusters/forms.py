# SPDX-License-Identifier: Apache-2.0
"""The form that makes a kubeconfig: with an application credential, or with what the shell has in ``OS_*``."""

import secrets
from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import exceptions
from horizon import forms
from openstack_dashboard import api as horizon_api

from hypernetes.dashboard import api
from hypernetes.sdk import access
from hypernetes.sdk import kubeconfig

CREDENTIAL, ENVIRONMENT = "credential", "environment"
HELPER = "hypernetes-kube-login"


class Kubeconfig(forms.SelfHandlingForm):
    """How kubectl will log in, and the namespace that it uses unless it is given one."""

    auth = forms.ThemableChoiceField(
        label=_("Login"),
        choices=(
            (CREDENTIAL, _("Application credential for this cluster")),
            (ENVIRONMENT, _("OS_* variables of the shell; no secret in the file")),
        ),
    )
    namespace = forms.ThemableChoiceField(label=_("Namespace"), required=False)

    def __init__(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        cluster_id = self.initial["cluster"].id
        try:
            with api.translated():
                names = [one.name for one in api.kubernetes(request).namespaces(cluster_id=cluster_id)]
        except exceptions.HorizonException:
            exceptions.handle(request, _("Unable to list the namespaces."))
            names = []
        self.fields["namespace"].choices = [("", _("None")), *((name, name) for name in names)]
        if len(names) == 1:
            self.initial["namespace"] = names[0]

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Return the kubeconfig as a document; with an application credential if that was chosen."""
        cluster = self.initial["cluster"]
        try:
            variables = _credential(request, cluster) if data["auth"] == CREDENTIAL else {}
        except Exception:
            exceptions.handle(request, _("Unable to create an application credential."))
            return False
        one = kubeconfig.Access(
            cluster_id=cluster.id,
            cluster_name=cluster.name,
            api_address=cluster.api_address,
            ca_certificate=cluster.ca_certificate,
            project_id=request.user.tenant_id,
            project_name=request.user.tenant_name,
            helper=HELPER,
            environment=variables,
            namespace=data["namespace"] or None,
        )
        return kubeconfig.document(one, kubeconfig.choose_names({}, one))


def _credential(request: Any, cluster: Any) -> dict[str, str]:
    """Create an application credential and return the variables that the login helper reads."""
    made = horizon_api.keystone.application_credential_create(
        request,
        name=f"kubectl-{cluster.name}-{secrets.token_hex(4)}",
        description=f"Login of kubectl to the cluster {cluster.name}, created by the dashboard",
        access_rules=access.rules(cluster.id),
        unrestricted=False,
    )
    return {
        "OS_AUTH_URL": horizon_api.base.url_for(request, "identity"),
        kubeconfig.CREDENTIAL_ID: made.id,
        kubeconfig.CREDENTIAL_SECRET: made.secret,
    }
