# SPDX-License-Identifier: Apache-2.0
"""WSGI entry point of hypernetes-webhook: ``uwsgi --module "hypernetes.wsgi.webhook:init_application()" --lazy-apps``.

Importing this module has no effect; uWSGI calls the function in each worker.

``OS_HYPERNETES_CONFIG_FILES`` (separated by ``;``) names configuration files; without it oslo.config looks for
``hypernetes-webhook.conf`` at its usual places.
"""

import os

from oslo_config import cfg
from oslo_log import log

from hypernetes.auth import validator
from hypernetes.auth import webhook
from hypernetes.conf import opts


def init_application(files: list[str] | None = None) -> webhook.Webhook:
    """Read the configuration and make the application; Keystone is first asked at the first review."""
    conf = cfg.ConfigOpts()
    opts.register(conf, "webhook")
    log.register_options(conf)
    # The server's own arguments are not ours.
    conf([], project="hypernetes", prog="hypernetes-webhook", default_config_files=files or _files() or None)
    log.setup(conf, "hypernetes")
    settings = webhook.Settings(
        audiences=tuple(conf.webhook.audiences),
        cache_seconds=conf.webhook.cache_seconds,
        refusal_cache_seconds=conf.webhook.refusal_cache_seconds,
        cache_size=conf.webhook.cache_size,
    )
    return webhook.Webhook(validator.KeystoneValidator(conf, "webhook"), settings)


def _files() -> list[str]:
    return [name for name in os.environ.get("OS_HYPERNETES_CONFIG_FILES", "").split(";") if name]
