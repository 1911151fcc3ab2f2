# SPDX-License-Identifier: Apache-2.0
"""Enrollment: the one-time secret becomes the node's own token and its own user of the message bus.

The agent chooses both and writes them down before it sends anything, so that an enrollment that was cut off anywhere is
simply repeated: the API accepts the same choices again, and no others.
"""

import dataclasses
import secrets
import threading
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import requests
import tenacity
from oslo_config import cfg
from oslo_log import log

from hypernetes.agent import backoff
from hypernetes.agent import files
from hypernetes.model import digests
from hypernetes.rpc import codec
from hypernetes.rpc.transport import Enrollment

LOG = log.getLogger(__name__)

TOKEN_BYTES = 32
MAX_ANSWER_BYTES = 64 * 1024


class EnrollmentFailed(Exception):
    """An attempt failed; the text says why and what to do, and holds nothing secret."""


class Stopped(Exception):
    """The agent was stopped before it was enrolled."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The credentials that the agent has chosen, and the API's answer once there is one."""

    node_id: str
    token: str = field(repr=False)
    amqp_password: str = field(repr=False)
    node_name: str | None = None
    transport_url: str | None = field(default=None, repr=False)

    @property
    def enrollment(self) -> Enrollment | None:
        """The enrollment, or None if the API has not answered yet."""
        if self.node_name is None or self.transport_url is None:
            return None
        return Enrollment(self.node_id, self.node_name, self.token, self.amqp_password, self.transport_url)


def choose(path: Path, node_id: str) -> Choice:
    """Return the recorded choice of this node, or make a new one and record it."""
    try:
        choice = codec.decode(Choice, files.read_json(path))
    except codec.MalformedMessage:
        choice = None
    if choice is None or choice.node_id != node_id:
        # Another ID means another record: the machine was enrolled again, and its old credentials are worthless.
        choice = Choice(node_id, secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES))
        files.write_json(path, codec.encode(choice))
    return choice


def present(conf: cfg.ConfigOpts, choice: Choice, secret: str) -> Choice:
    """Present the secret and the choice to the API, once.

    :raises EnrollmentFailed: when the API does not answer, refuses, or answers for another node.
    """
    url = f"{conf.agent.api_url.rstrip('/')}/v1/nodes/{choice.node_id}/enroll"
    body = {
        "secret": secret,
        "token_hash": digests.secret_digest(choice.token),
        "amqp_password": choice.amqp_password,
    }
    with requests.Session() as session:
        # No proxy and no .netrc: the secret goes to the API directly.
        session.trust_env = False
        session.verify = conf.agent.ca_file
        try:
            answer = session.post(url, json=body, timeout=conf.agent.request_timeout, allow_redirects=False)
        except (requests.RequestException, OSError) as error:
            raise EnrollmentFailed(f"the API at {conf.agent.api_url} does not answer: {error}") from error
    if answer.status_code == 401:
        raise EnrollmentFailed(
            "the API does not accept the enrollment secret: it is wrong, has expired or served another machine; "
            f"delete the node, create it again and write its secret to {conf.agent.enrollment_secret_file}"
        )
    if answer.status_code != 200:
        raise EnrollmentFailed(f"the API answered {answer.status_code}: {_error_text(answer)}")
    if len(answer.content) > MAX_ANSWER_BYTES:
        raise EnrollmentFailed("the API's answer is too long")
    try:
        data = answer.json()
        node_name, transport_url = str(data["node"]), str(data["transport_url"])
    except (ValueError, KeyError, TypeError) as error:
        raise EnrollmentFailed("the API's answer is not that of an enrollment") from error
    if node_name != conf.node.name:
        raise EnrollmentFailed(
            f"the record is of node {node_name}, but [node] name is {conf.node.name}: correct node_id or name"
        )
    return dataclasses.replace(choice, node_name=node_name, transport_url=transport_url)


def _error_text(answer: requests.Response) -> str:
    try:
        return str(answer.json()["errors"][0]["detail"])[:500]
    except (ValueError, KeyError, TypeError, IndexError):
        return answer.reason or "no reason given"


def enroll(conf: cfg.ConfigOpts, state: Path, stop: threading.Event) -> Enrollment:
    """Return the node's enrollment: the recorded one, or a new one, retried until the API accepts the secret.

    :raises Stopped: when ``stop`` is set first.
    """
    path = state / "credentials.json"
    secret_file = Path(conf.agent.enrollment_secret_file)
    choice = choose(path, conf.agent.node_id)
    if choice.enrollment is None:
        retrying = backoff.until_stopped(stop, 0.5, conf.agent.retry_max_interval).copy(
            retry=tenacity.retry_if_exception_type(EnrollmentFailed), after=_log_failure
        )
        try:
            choice = retrying(lambda: present(conf, choice, _secret(secret_file)))
        except tenacity.RetryError as error:
            raise Stopped from error
        files.write_json(path, codec.encode(choice))
        LOG.info("Enrolled as node %s", choice.node_name)
    assert choice.enrollment is not None
    # The secret is used up. Deleted here, not above, since the agent may have been killed in between.
    secret_file.unlink(missing_ok=True)
    return choice.enrollment


def _log_failure(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    LOG.warning("Not enrolled yet: %s", error)


def _secret(path: Path) -> str:
    try:
        secret = path.read_text().strip()
    except OSError as error:
        raise EnrollmentFailed(
            f"cannot read the enrollment secret that `openstack kube node create` printed: {error}"
        ) from error
    if not secret:
        raise EnrollmentFailed(f"{path} is empty")
    return secret
