# SPDX-License-Identifier: Apache-2.0
"""The options of a service user, by keystoneauth's loaders: ``auth_type``, ``auth_url``, ``cafile``, ``timeout``, …

They have the same names in every OpenStack service.
"""

from keystoneauth1 import loading
from oslo_config import cfg

AUTH_TYPE = "password"


def options(*, timeout: float) -> list[cfg.Opt]:
    """Return the options that choose the plugin, and those of the session.

    :param timeout: default of the option ``timeout``, in seconds.
    """
    made: list[cfg.Opt] = [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options()]
    cfg.set_defaults(made, auth_type=AUTH_TYPE, timeout=timeout)
    return made


def credentials() -> list[cfg.Opt]:
    """Return the options of the default plugin, for documentation: keystoneauth registers those of the chosen one."""
    return list(loading.get_auth_plugin_conf_options(AUTH_TYPE))
