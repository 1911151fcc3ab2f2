# SPDX-License-Identifier: Apache-2.0
"""Keystone tokens: which requests need none, and which header keystonemiddleware must not see.

Access rules of application credentials are enforced by keystonemiddleware, which must know the service type for it.
"""

from collections.abc import Callable
from typing import cast
from wsgiref.types import WSGIApplication

import webob
from keystonemiddleware import auth_token
from oslo_config import cfg

from hypernetes.api import middleware
from hypernetes.model import names


def keystone(conf: cfg.ConfigOpts) -> middleware.Middleware:
    """Return the middleware that validates tokens at Keystone."""
    options = {"oslo_config_config": conf, "service_type": names.SERVICE_TYPE, "delay_auth_decision": False}

    def wrap(application: WSGIApplication) -> WSGIApplication:
        return cast(WSGIApplication, auth_token.AuthProtocol(application, options))

    return wrap


def attach(
    protected: WSGIApplication,
    public: WSGIApplication,
    is_public: Callable[[webob.Request], bool],
    authenticate: middleware.Middleware,
) -> WSGIApplication:
    """Pass public requests to ``public``, and all others through ``authenticate`` to ``protected``."""
    authenticated = authenticate(protected)

    def respond(request: webob.Request) -> webob.Response:
        # With a service token, keystonemiddleware takes the request for one that another service makes for the user,
        # and does not check access rules. No service calls this API that way.
        request.headers.pop("X-Service-Token", None)
        return request.get_response(public if is_public(request) else authenticated)

    return middleware.wsgi_application(respond)
