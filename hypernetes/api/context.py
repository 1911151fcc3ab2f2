# SPDX-License-Identifier: Apache-2.0
"""The context of a request: the caller by its Keystone token, and what policy allows it."""

from typing import Any
from typing import Self
from wsgiref.types import WSGIApplication

import webob
from oslo_context import context
from oslo_middleware import request_id
from oslo_policy import policy

from hypernetes.api import middleware
from hypernetes.model import errors
from hypernetes.model import ids


class ScopeRefused(errors.HypernetesError):
    """The token is scoped to a domain or to the system, and not to a project."""

    status = 403
    code = "hypernetes.token.scope"
    template = "The token has {scope} scope; this service accepts project-scoped tokens only."
    remedy = "Ask Keystone for a token that is scoped to your project."


class Unscoped(errors.HypernetesError):
    """The token is not scoped."""

    status = 401
    code = "hypernetes.token.unscoped"
    template = "The token has no scope."
    remedy = "Ask Keystone for a token that is scoped to your project."


class RequestContext(context.RequestContext):
    """The context of oslo.context, with policy."""

    enforcer: policy.Enforcer

    @classmethod
    def from_verified(cls, environ: dict[str, Any], enforcer: policy.Enforcer) -> Self:
        """Return the context of a request whose token the authentication middleware has validated.

        :raises ScopeRefused: when the token is scoped to a domain or to the system.
        :raises Unscoped: when it has no scope.
        """
        made: Self = cls.from_environ(environ)
        made.enforcer = enforcer
        if made.system_scope:
            raise ScopeRefused(scope="system")
        if made.domain_id:
            raise ScopeRefused(scope="domain")
        if not made.project_id:
            raise Unscoped
        return made

    @property
    def project(self) -> ids.ProjectId:
        """ID of the tenant."""
        if self.project_id is None:
            raise Unscoped
        return ids.ProjectId(self.project_id)

    def require(self, rule: str) -> None:
        """Check that policy allows ``rule`` in the token's own project.

        :raises errors.Forbidden: when it does not.
        """
        if not self.can(rule):
            raise errors.Forbidden(rule=rule)

    def can(self, rule: str) -> bool:
        """Return whether policy allows ``rule`` in the token's own project."""
        target = {"project_id": self.project_id}
        try:
            return bool(self.enforcer.authorize(rule, target, self, do_raise=True))
        except (policy.PolicyNotAuthorized, policy.InvalidScope):
            return False


def begin(application: WSGIApplication) -> WSGIApplication:
    """Wrap an application so that each request begins with a context of its own, with its ID and no caller.

    oslo.log takes the context from the thread, where the previous request left its own.
    """

    def respond(request: webob.Request) -> webob.Response:
        context.RequestContext(
            request_id=request.environ[request_id.ENV_REQUEST_ID],
            global_request_id=request.environ.get(request_id.GLOBAL_REQ_ID),
            overwrite=True,
        )
        return request.get_response(application)

    return middleware.wsgi_application(respond)


def attach(application: WSGIApplication, enforcer: policy.Enforcer) -> WSGIApplication:
    """Wrap an application so that each request has its context in the environment."""

    def respond(request: webob.Request) -> webob.Response:
        request.environ["hypernetes.context"] = RequestContext.from_verified(request.environ, enforcer)
        return request.get_response(application)

    return middleware.wsgi_application(respond)
