# SPDX-License-Identifier: Apache-2.0
"""WSGI entry point of hypernetes-webhook: ``uwsgi --module hypernetes.wsgi.webhook:application --lazy-apps``."""

from hypernetes import wsgi
from hypernetes.auth import deploy

application = deploy.load_application(wsgi.configuration_files())
