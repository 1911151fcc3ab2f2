# SPDX-License-Identifier: Apache-2.0
"""Carries typed objects to and from one cluster's apiserver, with timeouts and the errors of the model.

lightkube does the work; this module adds what it lacks: a client certificate that is never written
to disk, and deletion only of the object that carries the recorded UID.
"""

import contextlib
import json
import logging
import os
import re
import ssl
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import cast
from typing import TypeVar

import httpx2
import lightkube
from lightkube.config import kubeconfig
from lightkube.config import models as config_models
from lightkube.core import resource
from lightkube.core.exceptions import ApiError

from hypernetes.kubernetes import decoding
from hypernetes.model import errors
from hypernetes.model import labels

ALL_NAMESPACES = "*"
WATCH_SECONDS = 120
"""How long one answer to a watch lasts: a connection that died unnoticed is replaced after it."""
_WATCH_GRACE = 15
_SERVICE = "The cluster's apiserver"

# lightkube puts names into the path as they are, and dot segments would then lead anywhere the client may go.
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:@~-]{1,253}")

# It logs every request, which would drown a service's own log.
logging.getLogger("httpx2").setLevel(logging.WARNING)

T = TypeVar("T", bound=resource.Resource)


class ClusterClient:
    """One cluster as the conductor (or, with its own certificate, an agent) sees it. Safe to use from many threads."""

    def __init__(self, api_address: str, ca_pem: str, cert_pem: str, key_pem: str, *, timeout: float = 10.0) -> None:
        """Prepare a connection; nothing is sent yet.

        :param api_address: https URL of the apiserver.
        :param timeout: seconds for each of connecting, sending and waiting for an answer.
        """
        transport = httpx2.HTTPTransport(verify=_tls_context(ca_pem, cert_pem, key_pem))
        config = kubeconfig.SingleConfig(
            context_name="hypernetes",
            context=config_models.Context(cluster="hypernetes"),
            cluster=config_models.Cluster(server=api_address),
            user=config_models.User(),
        )
        self._timeout = timeout
        limits = httpx2.Timeout(timeout)
        # The environment's proxies and certificate bundles are not meant for this connection.
        self._client = lightkube.Client(
            config, timeout=limits, field_manager=labels.FIELD_MANAGER, transport=transport, trust_env=False
        )
        self._http = httpx2.Client(base_url=api_address, transport=transport, timeout=limits, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._http.close()

    def get(self, kind: type[T], name: str, namespace: str | None = None) -> T:
        """Return the object called ``name``.

        :raises errors.NotFound: when there is none.
        :raises errors.Unavailable: when the apiserver does not answer or is overloaded; a retry may succeed.
        :raises errors.Refused: when it refused permanently.
        """
        _require_segments(kind, name, namespace)
        with _translated(kind, name):
            return cast(T, self._client.get(cast(Any, kind), name, namespace=namespace))

    def find(self, kind: type[T], name: str, namespace: str | None = None) -> T | None:
        """Return the object called ``name``, or None; raises as :meth:`get` does otherwise."""
        try:
            return self.get(kind, name, namespace)
        except errors.NotFound:
            return None

    def list(self, kind: type[T], namespace: str | None = None, labels: Mapping[str, str] | None = None) -> "list[T]":
        """Return a kind's objects in ``namespace`` (:data:`ALL_NAMESPACES` for all); raises as :meth:`get` does."""
        _require_segments(kind, *_places(namespace))
        selector = cast(Any, dict(labels) if labels else None)
        with _translated(kind, "list"):
            found = self._client.list(cast(Any, kind), namespace=namespace, labels=selector, chunk_size=500)
            return cast("list[T]", list(found))

    def create(self, item: T) -> T:
        """Create an object that must not exist yet.

        :raises errors.NameTaken: when one of that name exists.
        """
        _require_segments(type(item), *_places_of(item))
        with _translated(type(item), _name_of(item), creating=True):
            return cast(T, self._client.create(cast(Any, item)))

    def dry_run_create(self, item: resource.Resource) -> str | None:
        """Return why the apiserver would refuse to create the object, or None if it would not; nothing is created.

        :raises errors.Unavailable: when it does not answer.
        """
        _require_segments(type(item), *_places_of(item))
        try:
            with _translated(type(item), _name_of(item), creating=True):
                self._client.create(cast(Any, item), dry_run=True)
        except (errors.Refused, errors.NameTaken) as error:
            return error.message
        return None

    def apply(self, item: T) -> T:
        """Set these fields by server-side apply, taking them over from other managers; other fields are kept."""
        _require_segments(type(item), _name_of(item), *_places_of(item))
        with _translated(type(item), _name_of(item)):
            return cast(T, self._client.apply(cast(Any, item), force=True))

    def delete(self, kind: type[T], name: str, namespace: str | None = None, *, uid: str | None = None) -> bool:
        """Request an object's deletion; return whether there was something to delete.

        :param uid: delete only the object with this UID; another one of the same name is kept (False).
        """
        _require_segments(kind, name, namespace)
        info = resource.api_info(kind)
        group = info.resource.group
        base = f"/apis/{group}/{info.resource.version}" if group else f"/api/{info.resource.version}"
        place = f"/namespaces/{namespace}" if namespace is not None else ""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        with _translated(kind, name):
            answer = self._http.request("DELETE", f"{base}{place}/{info.plural}/{name}", json=options)
            if answer.status_code == 404 or (answer.status_code == 409 and uid is not None):
                return False
            answer.raise_for_status()
            return True

    def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Any:
        """Send a request that no type of lightkube's covers; return the decoded answer.

        :param path: the path at the apiserver; its parts must come from the apiserver itself.
        :raises errors.NotFound, errors.Unavailable, errors.Refused: as :meth:`get` does.
        """
        content = json.dumps(body).encode() if body is not None else None
        headers = {"Accept": accept, **({"Content-Type": content_type} if content is not None else {})}
        with _errors("object", path):
            answer = self._http.request(method, path, params=parameters, content=content, headers=headers)
            answer.raise_for_status()
            return answer.json()

    def watch(self, path: str, version: str, *, seconds: int = WATCH_SECONDS) -> Generator[dict[str, Any]]:
        """Yield the changes of the objects at a listing's path until the apiserver ends the answer.

        Bookmarks are among them, at least one a minute; silence for longer ends the connection.

        :param version: the listing's ``metadata.resourceVersion``.
        :raises errors.Unavailable: also when the version is too old (410): list again.
        :raises errors.NotFound, errors.Refused: as :meth:`get` does.
        """
        parameters = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        patience = httpx2.Timeout(self._timeout, read=float(seconds + _WATCH_GRACE))
        with (
            _errors("object", path),
            self._http.stream("GET", path, params=parameters, timeout=patience) as answer,
        ):
            if answer.is_error:
                answer.read()
            answer.raise_for_status()
            for line in answer.iter_lines():
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object", {})
                    raise _error_of(
                        status.get("code", 0), status.get("message", "no reason given"), "object", path, False
                    )
                yield event

    def read_text(self, path: str) -> str:
        """Return what the apiserver answers at a path that is not of an object, such as ``/metrics``.

        :raises errors.Unavailable, errors.Refused: as :meth:`get` does.
        """
        with _errors("path", path):
            answer = self._http.get(path)
            answer.raise_for_status()
            return answer.text

    def is_ready(self) -> bool:
        """Tell whether the apiserver reports that it can serve requests."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False


def _tls_context(ca_pem: str, cert_pem: str, key_pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL reads keys from files only; an anonymous one in memory leaves nothing on the disk.
    with os.fdopen(os.memfd_create("client-certificate"), "w") as memory:
        memory.write(cert_pem.rstrip("\n") + "\n" + key_pem)
        memory.flush()
        context.load_cert_chain(f"/proc/self/fd/{memory.fileno()}")
    return context


def _name_of(item: resource.Resource) -> str:
    return str(cast(Any, item).metadata.name)


def _places(namespace: str | None) -> tuple[str | None, ...]:
    """Return the parts of a listing's path that may be malformed; that of all namespaces has none."""
    return () if namespace == ALL_NAMESPACES else (namespace,)


def _places_of(item: resource.Resource) -> tuple[str | None, ...]:
    return (getattr(cast(Any, item).metadata, "namespace", None),)


def _require_segments(kind: type[resource.Resource], *parts: str | None) -> None:
    """Check that names and namespaces are single segments of a path; no object can have another name.

    :raises errors.NotFound: when one of them is not.
    """
    for part in parts:
        if part is not None and _SEGMENT.fullmatch(part) is None:
            # In ASCII: a lone surrogate could neither be logged nor answered.
            raise errors.NotFound(kind=resource.api_info(kind).resource.kind, id=ascii(part[:64]))


@contextlib.contextmanager
def _translated(kind: type[resource.Resource], name: str, *, creating: bool = False) -> Iterator[None]:
    decoding.prepare(kind)
    with _errors(resource.api_info(kind).resource.kind, name, creating=creating):
        yield


@contextlib.contextmanager
def _errors(noun: str, name: str, *, creating: bool = False) -> Iterator[None]:
    """Raise the apiserver's errors as those of the model."""
    try:
        yield
    except ApiError as error:
        raise _error_of(
            error.status.code or 0, error.status.message or "no reason given", noun, name, creating
        ) from error
    except httpx2.HTTPStatusError as error:
        raise _error_of(error.response.status_code, error.response.text[:500], noun, name, creating) from error
    except httpx2.HTTPError as error:
        raise errors.Unavailable(service=_SERVICE, reason=str(error) or type(error).__name__) from error


def _error_of(status: int, reason: str, noun: str, name: str, creating: bool) -> errors.HypernetesError:
    """Return the error for the apiserver's answer; overload, a stale version and its own failures may be retried."""
    if status == 404:
        return errors.NotFound(kind=noun, id=name)
    if status == 409 and creating:
        return errors.NameTaken(kind=noun, name=name)
    if status in (409, 410, 429) or status >= 500:
        return errors.Unavailable(service=_SERVICE, reason=reason)
    return errors.Refused(service=_SERVICE, reason=reason)
