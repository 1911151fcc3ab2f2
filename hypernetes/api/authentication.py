# SPDX-License-Identifier: Apache-2.0
"""Keystone tokens: who needs none, and what keystonemiddleware must not be told.

Access rules of application credentials are enforced by keystonemiddleware, which must know our service type.
"""

from collections.abc import Callable
from typing import Any

import webob
import webob.dec
from keystonemiddleware import auth_token
from oslo_config import cfg

from hypernetes.model import names

Middleware = Callable[[Any], Any]


def keystone(conf: cfg.ConfigOpts) -> Middleware:
    """The middleware that asks Keystone."""

    def wrap(application: Any) -> Any:
        return auth_token.AuthProtocol(
            application, {"oslo_config_config": conf, "service_type": names.SERVICE_TYPE, "delay_auth_decision": False}
        )

    return wrap


def attach(protected: Any, public: Any, is_public: Callable[[webob.Request], bool], middleware: Middleware) -> Any:
    """Middleware: hands public requests to ``public`` and all others, through ``middleware``, to ``protected``."""
    authenticated = middleware(protected)

    @webob.dec.wsgify  # type: ignore[untyped-decorator]
    def choose(request: webob.Request) -> Any:
        # keystonemiddleware takes the presence of a service token for a sign that another service speaks for the
        # user, and then lets access rules pass unchecked. No service speaks to us that way.
        request.headers.pop("X-Service-Token", None)
        return request.get_response(public if is_public(request) else authenticated)

    return choose
