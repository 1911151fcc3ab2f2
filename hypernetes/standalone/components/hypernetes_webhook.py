# SPDX-License-Identifier: Apache-2.0
"""The TokenReview webhook: it holds an account that may only validate tokens, and no database."""

from __future__ import annotations

from hypernetes.standalone import ini
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import proxy
from hypernetes.standalone.components.wsgi_service import wsgi_component
from hypernetes.standalone.installation import Installation

NAME = "hypernetes-webhook"


def configuration(installation: Installation) -> ini.Sections:
    """The webhook's options."""
    # There are two processors, and Keystone needs them to validate.
    return {"webhook": {**identity.credentials(installation, "hypernetes-validator"), "unknown_validations": 4}}


COMPONENT = wsgi_component(
    NAME,
    "the apiservers' TokenReview webhook",
    module="hypernetes.wsgi.webhook:application",
    threads=proxy.WEBHOOK_WORKERS,
    longest_request=15,
    configuration=configuration,
    needs=("identity",),
)
