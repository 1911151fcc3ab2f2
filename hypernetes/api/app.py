# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: the pipeline, and the Pecan application at its end."""

import functools
from wsgiref.types import WSGIApplication

import oslo_middleware
import pecan
import webob
from keystonemiddleware import opts as keystonemiddleware_opts
from oslo_config import cfg
from oslo_middleware import cors
from oslo_middleware import healthcheck
from oslo_middleware import http_proxy_to_wsgi
from oslo_middleware import request_id

from hypernetes.api import authentication
from hypernetes.api import context
from hypernetes.api import errors
from hypernetes.api import microversion
from hypernetes.api import middleware
from hypernetes.api import policy
from hypernetes.api import routes
from hypernetes.api import routing
from hypernetes.api import services

_HEALTHCHECK_PATH = "/healthcheck"

_TOKEN_CACHE_SECONDS = 10
"""How long a validated token is trusted: a removed role ends within the 60 s that are promised, here and at apiservers
(:data:`hypernetes.kubernetes.bootstrap.kubeadm.WEBHOOK_CACHE_SECONDS`)."""

_LARGEST_BODY = 64 * 1024
"""Bytes. The largest request of this API, a cluster's, is far below 4 KiB."""


def build(offered: services.Services, authenticate: middleware.Middleware | None = None) -> WSGIApplication:
    """Build the application.

    :param authenticate: replaces keystonemiddleware, in tests.
    """
    conf = offered.conf
    _set_defaults(conf)
    pecan_application: WSGIApplication = pecan.make_app(
        routing.Dispatcher(routes.TABLE, offered),
        use_context_locals=False,
        # A name such as node1.json is a name and not a file.
        guess_content_type_from_ext=False,
        debug=False,
        wrap_app=None,
    )
    pecan_application = routing.refuse_forms(pecan_application)
    protected = context.attach(pecan_application, policy.make_enforcer(conf))
    authenticate = authenticate or authentication.keystone(conf)

    # Outermost first: a request passes from the top to the bottom, its response from the bottom to the top.
    pipeline: tuple[middleware.Middleware, ...] = (
        # Gives the request the ID that every response, log line and error carries.
        request_id.RequestId,
        # Before anything that logs.
        context.begin,
        # Takes scheme and host from the proxy in front, if the configuration says that there is one.
        functools.partial(http_proxy_to_wsgi.HTTPProxyToWSGI, conf=conf),
        # Answers browsers' preflight requests, which carry no token.
        functools.partial(cors.CORS, conf=conf),
        # Answers /healthcheck, for load balancers: no token, no database.
        functools.partial(_attach_healthcheck, conf=conf),
        # Gives every error from below the form of the API-SIG.
        functools.partial(errors.attach, help_url=conf.api.error_help_url),
        # Before anything reads a body.
        functools.partial(oslo_middleware.RequestBodySizeLimiter, conf=conf),
        # Also before the token is looked at, so that every response has its version.
        microversion.attach,
        # The token, except on public paths; then the context made of it, then Pecan.
        functools.partial(
            authentication.attach,
            public=pecan_application,
            is_public=routes.TABLE.is_public,
            authenticate=authenticate,
        ),
    )
    application = protected
    for wrap in reversed(pipeline):
        application = wrap(application)
    return application


def _attach_healthcheck(application: WSGIApplication, *, conf: cfg.ConfigOpts) -> WSGIApplication:
    """Add oslo.middleware's health check at its path; by itself it would answer every request."""
    check = healthcheck.Healthcheck(None, conf)

    def respond(request: webob.Request) -> webob.Response:
        return request.get_response(check if request.environ.get("PATH_INFO") == _HEALTHCHECK_PATH else application)

    return middleware.wsgi_application(respond)


def _set_defaults(conf: cfg.ConfigOpts) -> None:
    """Set defaults of other projects' options that suit this API; the operator's configuration takes precedence."""
    for group, options in keystonemiddleware_opts.list_auth_token_opts():
        conf.register_opts(options, group=group)
    # Its own default of 300 s would let a removed role act for five minutes.
    conf.set_default("token_cache_time", _TOKEN_CACHE_SECONDS, group="keystone_authtoken")
    conf.register_opts(oslo_middleware.sizelimit.OPTS, group="oslo_middleware")
    conf.set_default("max_request_body_size", _LARGEST_BODY, group="oslo_middleware")
    cors.set_defaults(
        allow_headers=["X-Auth-Token", "X-OpenStack-Request-ID", microversion.HEADER],
        expose_headers=["X-OpenStack-Request-ID", microversion.HEADER, "Location"],
        allow_methods=["GET", "POST", "DELETE"],
    )
