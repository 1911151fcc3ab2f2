# SPDX-License-Identifier: Apache-2.0
"""Pods and events of a namespace, from the cluster's apiserver with the user's own token, as kubectl would ask.

The apiserver may be out of Horizon's reach; what is shown then says so, and all else of a page remains.
"""

import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib import error as urllib_error
from urllib import parse
from urllib import request as urllib_request

TIMEOUT_SECONDS = 5
LIMIT = 500
"""How many objects of a kind are shown at most."""


class ApiserverSilent(Exception):
    """The apiserver did not return the objects; the text says why."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the panel shows it."""

    id: str
    name: str
    status: str
    ready: str
    restarts: int
    address: str | None
    node: str | None
    machine: str | None
    """How the pod runs: the runtime class, and the memory that its virtual machine adds."""
    started_at: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the panel shows it."""

    id: str
    seen_at: str | None
    type: str
    reason: str
    object: str
    message: str
    count: int


def pods(cluster: Any, token: str, namespace: str) -> list[Pod]:
    """Return the pods of a namespace.

    :raises ApiserverSilent: when the apiserver cannot be asked or refuses.
    """
    return [_pod(item) for item in _items(cluster, token, namespace, "pods")]


def events(cluster: Any, token: str, namespace: str) -> list[Event]:
    """Return the events of a namespace, the newest first.

    :raises ApiserverSilent: when the apiserver cannot be asked or refuses.
    """
    found = [_event(item) for item in _items(cluster, token, namespace, "events")]
    return sorted(found, key=lambda event: event.seen_at or "", reverse=True)


def _items(cluster: Any, token: str, namespace: str, plural: str) -> list[dict[str, Any]]:
    address = str(cluster.api_address or "")
    if not address.startswith("https://") or not cluster.ca_certificate:
        raise ApiserverSilent("the cluster has no address yet")
    url = f"{address}/api/v1/namespaces/{parse.quote(namespace, safe='')}/{plural}?limit={LIMIT}"
    asked = urllib_request.Request(url, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})  # noqa: S310 - the scheme was checked above
    context = ssl.create_default_context(cadata=cluster.ca_certificate)
    # Neither a proxy nor a redirection may see the token.
    opener = urllib_request.build_opener(
        urllib_request.ProxyHandler({}), urllib_request.HTTPSHandler(context=context), _NoRedirection
    )
    try:
        with opener.open(asked, timeout=TIMEOUT_SECONDS) as answer:
            return list(json.load(answer).get("items") or [])
    except urllib_error.HTTPError as error:
        raise ApiserverSilent(_refusal(error)) from error
    except (OSError, ValueError) as error:
        raise ApiserverSilent(f"{address} cannot be reached: {getattr(error, 'reason', error)}") from error


class _NoRedirection(urllib_request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> urllib_request.Request | None:
        """Follow no redirection."""
        return None


def _refusal(error: urllib_error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the apiserver answered {error.code}"


def _pod(item: dict[str, Any]) -> Pod:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(1 for one in containers if one.get("ready"))
    overhead = (spec.get("overhead") or {}).get("memory")
    runtime = spec.get("runtimeClassName")
    return Pod(
        id=metadata["uid"],
        name=metadata["name"],
        status=_status(metadata, status, containers),
        ready=f"{ready}/{len(spec.get('containers') or [])}",
        restarts=sum(int(one.get("restartCount") or 0) for one in containers),
        address=status.get("podIP"),
        node=spec.get("nodeName"),
        machine=f"{runtime} (+{overhead})" if runtime and overhead else runtime,
        started_at=status.get("startTime"),
    )


def _status(metadata: dict[str, Any], status: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    """Return the word that ``kubectl get pods`` has in the column STATUS."""
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    for one in containers:
        state = one.get("state") or {}
        for kind in ("waiting", "terminated"):
            if reason := (state.get(kind) or {}).get("reason"):
                return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _event(item: dict[str, Any]) -> Event:
    about = item.get("involvedObject") or {}
    series = item.get("series") or {}
    metadata = item["metadata"]
    seen = series.get("lastObservedTime") or item.get("lastTimestamp") or item.get("eventTime")
    return Event(
        id=metadata["uid"],
        seen_at=seen or metadata.get("creationTimestamp"),
        type=str(item.get("type") or ""),
        reason=str(item.get("reason") or ""),
        object=f"{about.get('kind', '')}/{about.get('name', '')}",
        message=str(item.get("message") or ""),
        count=int(series.get("count") or item.get("count") or 1),
    )
