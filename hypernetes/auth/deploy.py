# SPDX-License-Identifier: Apache-2.0
"""hypernetes-webhook from its configuration files: what a WSGI server loads."""

from oslo_config import cfg
from oslo_log import log

from hypernetes.auth import answers
from hypernetes.auth import validator
from hypernetes.auth import webhook
from hypernetes.auth import write_pace
from hypernetes.conf import opts


def load_application(files: list[str]) -> webhook.Webhook:
    """Read the configuration and make the application; it asks Keystone at the first review.

    :param files: configuration files; if there are none, oslo.config looks for ``hypernetes.conf`` and
        ``hypernetes-webhook.conf`` at its usual places.
    """
    conf = cfg.ConfigOpts()
    opts.register(conf, "webhook")
    log.register_options(conf)
    # The server's own arguments are not for the application.
    conf([], project="hypernetes", prog="hypernetes-webhook", default_config_files=files or None)
    log.setup(conf, "hypernetes")
    settings = answers.Settings(
        audiences=tuple(conf.webhook.audiences),
        cache_seconds=conf.webhook.cache_seconds,
        refusal_cache_seconds=conf.webhook.refusal_cache_seconds,
        cache_size=conf.webhook.cache_size,
        refusal_cache_size=conf.webhook.refusal_cache_size,
        unknown_validations=conf.webhook.unknown_validations,
        unknown_waiting=conf.webhook.unknown_waiting,
        known_validations=conf.webhook.known_validations,
    )
    pace = write_pace.WritePace(write_pace.Settings(conf.webhook.write_rate, conf.webhook.writes_waiting))
    return webhook.Webhook(validator.KeystoneValidator(conf, "webhook"), settings, pace=pace)
