# SPDX-License-Identifier: Apache-2.0
"""The errors of the service: each knows its HTTP status, its code, its cause and its remedy.

They are raised anywhere and translated once, at the edge (the API's error body, the RPC reply, the
``status_reason`` of a record). The code follows the API-SIG's errors guideline: ``hypernetes.<noun>.<problem>``.
"""

from typing import ClassVar


class HypernetesError(Exception):
    """Base of every error a user or operator may see."""

    status: ClassVar[int] = 500
    """HTTP status the API answers with."""
    code: ClassVar[str] = "hypernetes.internal"
    """Stable identifier for programs."""
    template: ClassVar[str] = "An unexpected error occurred."
    remedy: ClassVar[str] = "Ask the operator to look for the request ID in the service's log."

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        self.message = self.template.format(**facts)
        super().__init__(f"{self.message} {self.remedy.format(**facts)}")

    @property
    def advice(self) -> str:
        """The remedy alone, for callers that show it beside ``message``."""
        return self.remedy.format(**self.facts)

    @property
    def detail(self) -> str:
        """Cause and remedy in one text."""
        return str(self)


class BadRequest(HypernetesError):
    """The request is malformed; ``reason`` names the field."""

    status = 400
    code = "hypernetes.request.invalid"
    template = "The request is not valid: {reason}."
    remedy = "Correct the request and send it again; the API reference lists the allowed values."


class NotFound(HypernetesError):
    """There is no such object, or it is another project's (deliberately indistinguishable)."""

    status = 404
    code = "hypernetes.object.not_found"
    template = "No {kind} {id} was found in this project."
    remedy = "List the {kind}s that you may see, and use an ID from that list."


class Forbidden(HypernetesError):
    """The caller's roles do not allow the operation."""

    status = 403
    code = "hypernetes.policy.forbidden"
    template = "Policy does not allow {rule} with the roles of this token."
    remedy = "Ask an administrator of the project or the operator for a role that is allowed."


class NameTaken(HypernetesError):
    """The name exists already, possibly in another project (deliberately not said)."""

    status = 409
    code = "hypernetes.name.taken"
    template = "The {kind} name {name} is already taken."
    remedy = "Choose another name."


class NameReserved(HypernetesError):
    """The name belongs to Kubernetes or to the service."""

    status = 400
    code = "hypernetes.name.reserved"
    template = "The namespace name {name} is reserved ({rule})."
    remedy = "Choose a name that does not begin with kube- or hypernetes- and is not a system namespace."


class Conflict(HypernetesError):
    """The object is in a state that does not allow the operation."""

    status = 409
    code = "hypernetes.object.conflict"
    template = "The {kind} {id} does not allow this now: {reason}."
    remedy = "Wait until its status has changed, or fix the problem described above."


class StaleGeneration(HypernetesError):
    """Another request changed the record first; the writer must read it again."""

    status = 409
    code = "hypernetes.object.changed"
    template = "The {kind} {id} was changed by another request."
    remedy = "Read it again and repeat the change."


class Unauthenticated(HypernetesError):
    """A secret or token presented to an unauthenticated endpoint is wrong, used or expired."""

    status = 401
    code = "hypernetes.credential.invalid"
    template = "The {what} is not valid, has expired or was already used."
    remedy = "Ask the operator for a new one."


class TooManyRequests(HypernetesError):
    """Wrong secrets were presented too often."""

    status = 429
    code = "hypernetes.request.too_many"
    template = "Too many failed attempts for {kind} {id}."
    remedy = "Wait {seconds} seconds before the next one."


class QuotaExceeded(HypernetesError):
    """Neutron, or another service, refused because of a quota."""

    status = 403
    code = "hypernetes.quota.exceeded"
    template = "The project's quota does not allow it: {reason}."
    remedy = (
        "Delete what is not needed or ask the operator to raise the project's quota; "
        "the operation is then retried automatically."
    )


class LimitReached(HypernetesError):
    """A limit of Hypernetes itself; the request is not retried."""

    status = 403
    code = "hypernetes.limit.reached"
    template = "The {what} has reached its limit of {limit} {kind}s."
    remedy = "Delete a {kind} that is not needed, or ask the operator to raise the limit."


class Unavailable(HypernetesError):
    """A service that Hypernetes depends on cannot serve at present; work on objects is retried automatically."""

    status = 503
    code = "hypernetes.backend.unavailable"
    template = "{service} is temporarily unavailable: {reason}."
    remedy = "The operation is retried automatically. If this persists, ask the operator to check {service}."


class Refused(HypernetesError):
    """A service that Hypernetes depends on refused for a reason that a retry does not change."""

    status = 409
    code = "hypernetes.backend.refused"
    template = "{service} refused: {reason}."
    remedy = "Fix the problem described above and repeat the request."


class NetworkUnusable(HypernetesError):
    """A namespace's own network cannot be used; nothing looks at it again until the tenant asks again."""

    status = 409
    code = "hypernetes.network.unusable"
    template = "The network {id} cannot be used: {reason}."
    remedy = "Delete the namespace, fix the problem described above and create the namespace again."


class Unexpected(HypernetesError):
    """An error of Hypernetes itself while it processed an object; the work is retried."""

    code = "hypernetes.object.unexpected"
    template = "An unexpected error occurred while processing {object}; it will be retried."
    remedy = "If this persists, ask the operator to look for that ID in the conductor's log."


class WorkerPhaseFailed(HypernetesError):
    """A phase failed on a worker."""

    status = 500
    code = "hypernetes.node.phase_failed"
    template = "Phase {phase} failed on node {node}: {reason}."
    remedy = "It is retried automatically. If this persists, look at the log of the node's agent."


class PhaseFailed(HypernetesError):
    """A bootstrap phase failed on a node."""

    status = 500
    code = "hypernetes.cluster.phase_failed"
    template = "Phase {phase} failed on node {node}: {reason}."
    remedy = "Fix the cause, then run `openstack kube cluster retry`; it resumes at this phase."
