# SPDX-License-Identifier: Apache-2.0
"""Who asks: the context that Keystone's token gives a request, and what policy lets it do."""

from typing import Any
from typing import Self

import webob
import webob.dec
from oslo_context import context
from oslo_policy import policy

from hypernetes.model import errors
from hypernetes.model import ids


class ScopeRefused(errors.HypernetesError):
    """The token is not scoped to a project, so nothing here could belong to it."""

    status = 403
    code = "hypernetes.token.scope"
    template = "A token with {scope} scope was sent; this service takes project-scoped tokens only."
    remedy = "Ask Keystone for a token of the project you work in."


class Unscoped(errors.HypernetesError):
    """The token says who, but not for which project."""

    status = 401
    code = "hypernetes.token.unscoped"
    template = "The token has no scope."
    remedy = "Ask Keystone for a token of the project you work in."


class RequestContext(context.RequestContext):
    """oslo.context's, with policy."""

    enforcer: policy.Enforcer

    @classmethod
    def of(cls, environ: dict[str, Any], enforcer: policy.Enforcer) -> Self:
        """The context of a request whose token the authentication middleware has verified.

        :raises ScopeRefused: the token is scoped to a domain or to the system.
        :raises Unscoped: it has no scope at all.
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
        """The tenant."""
        if self.project_id is None:
            raise Unscoped
        return ids.ProjectId(self.project_id)

    def require(self, rule: str) -> None:
        """Go on only if policy allows ``rule`` in the token's own project.

        :raises errors.Forbidden: it does not.
        """
        if not self.can(rule):
            raise errors.Forbidden(rule=rule)

    def can(self, rule: str) -> bool:
        """Whether policy allows ``rule`` in the token's own project."""
        target = {"project_id": self.project_id}
        try:
            return bool(self.enforcer.authorize(rule, target, self, do_raise=True))
        except (policy.PolicyNotAuthorized, policy.InvalidScope):
            return False


def attach(application: Any, enforcer: policy.Enforcer) -> Any:
    """Middleware: puts the context into the request."""

    @webob.dec.wsgify  # type: ignore[untyped-decorator]
    def middleware(request: webob.Request) -> Any:
        request.environ["hypernetes.context"] = RequestContext.of(request.environ, enforcer)
        return request.get_response(application)

    return middleware
