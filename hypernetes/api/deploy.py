# SPDX-License-Identifier: Apache-2.0
"""hypernetes-api from its configuration files: what a WSGI server loads."""

from typing import Any

from oslo_config import cfg
from oslo_log import log

from hypernetes.api import app
from hypernetes.api import services
from hypernetes.conf import opts
from hypernetes.db import api as db_api
from hypernetes.rpc import client


def load_application(files: list[str]) -> Any:
    """Read the configuration and make the application; it connects to the database and the message bus at first use.

    :param files: configuration files; if there are none, oslo.config looks for ``hypernetes.conf`` and
        ``hypernetes-api.conf`` at its usual places.
    """
    # oslo.messaging's tracing options exist on the global configuration only.
    conf = cfg.CONF
    log.register_options(conf)
    opts.register(conf, "api", "messaging")
    # The server's own arguments are not for the application.
    conf([], project="hypernetes", prog="hypernetes-api", default_config_files=files or None)
    log.setup(conf, "hypernetes")
    return app.build(services.Services(conf, db_api.Database(conf), client.ConductorApi(conf)))
