# SPDX-License-Identifier: Apache-2.0
"""WSGI entry point of hypernetes-api; ``uwsgi --module hypernetes.wsgi.api:application --lazy-apps``.

``OS_HYPERNETES_CONFIG_FILES`` (separated by ``;``) names configuration files; without it oslo.config looks for
``hypernetes.conf`` and ``hypernetes-api.conf`` at its usual places.
"""

# Before anything imports oslo.messaging.
from hypernetes import threads

threads.use()

import os
from typing import Any

from oslo_config import cfg
from oslo_log import log

from hypernetes.api import app
from hypernetes.api import services
from hypernetes.conf import opts
from hypernetes.db import api as db_api
from hypernetes.rpc import client


def init_application() -> Any:
    """Read the configuration and make the application; database and message bus are connected to at first use."""
    # oslo.messaging's tracing options exist on the global configuration only.
    conf = cfg.CONF
    log.register_options(conf)
    opts.register(conf, "api", "messaging")
    # The server's own arguments are not ours.
    conf([], project="hypernetes", prog="hypernetes-api", default_config_files=_files() or None)
    log.setup(conf, "hypernetes")
    return app.build(services.Services(conf, db_api.Database(conf), client.ConductorApi(conf)))


def _files() -> list[str]:
    return [name for name in os.environ.get("OS_HYPERNETES_CONFIG_FILES", "").split(";") if name]


def __getattr__(name: str) -> Any:
    """Make ``application`` when the server asks for it, so that importing this module has no effect."""
    if name != "application":
        raise AttributeError(name)
    made = init_application()
    globals()["application"] = made
    return made
