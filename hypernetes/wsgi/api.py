# SPDX-License-Identifier: Apache-2.0
"""WSGI entry point of hypernetes-api: ``uwsgi --module hypernetes.wsgi.api:application --lazy-apps``."""

# Before anything imports oslo.messaging.
from hypernetes import threads

threads.use()

from hypernetes import wsgi
from hypernetes.api import deploy

application = deploy.load_application(wsgi.configuration_files())
