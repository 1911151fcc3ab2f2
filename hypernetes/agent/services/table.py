# SPDX-License-Identifier: Apache-2.0
"""Which endpoints answer for which address of a Service: what the shims of a namespace's pods read. No I/O.

The choice of endpoints is kube-proxy's (``CategorizeEndpoints``): the ready ones, or else those that still serve while
they terminate; with ``internalTrafficPolicy: Local`` only this node's.
"""

import ipaddress
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

VERSION = 1
"""Of the file's layout: runtime/internal/sandbox/services.go."""
MAX_PORTS = 4096
MAX_ENDPOINTS = 65536
"""What a guest takes at most: runtime/api/guest/v1/guest.proto."""

SERVICE_LABEL = "kubernetes.io/service-name"

Object = Mapping[str, Any]
"""A Kubernetes object as the apiserver writes it."""


def table(services: Iterable[Object], slices: Iterable[Object], node: str, subnet: str) -> dict[str, Any]:
    """Return the table of a namespace.

    :param slices: its EndpointSlices.
    :param node: the name of this node.
    :param subnet: the cluster's range of Services' addresses; for two families, both with a comma between.
    """
    by_service: dict[str, list[Object]] = {}
    for one in slices:
        if one.get("addressType") == "IPv4":
            by_service.setdefault(one["metadata"].get("labels", {}).get(SERVICE_LABEL, ""), []).append(one)
    ports: dict[tuple[str, str, int], list[tuple[str, int]]] = {}
    affine: set[tuple[str, str, int]] = set()
    room = MAX_ENDPOINTS
    for service in sorted(services, key=lambda item: str(item["metadata"]["name"])):
        for address, port in _frontends(service.get("spec", {})):
            key = (address, port.get("protocol", "TCP"), port["port"])
            found = _endpoints(service["spec"], port, by_service.get(service["metadata"]["name"], ()), node)
            if len(ports) < MAX_PORTS:
                ports[key] = sorted(found)[:room]
                room -= len(ports[key])
                # Each client has its own endpoint, so its shim chooses.
                if service["spec"].get("sessionAffinity") == "ClientIP":
                    affine.add(key)
    return {
        "version": VERSION,
        "ranges": [text for part in subnet.split(",") if _is_ipv4_network(text := part.strip())],
        "ports": [
            {
                "address": address,
                "protocol": protocol,
                "port": number,
                "affinity": (address, protocol, number) in affine,
                "endpoints": [{"address": target, "port": at} for target, at in endpoints],
            }
            for (address, protocol, number), endpoints in sorted(ports.items())
        ],
    }


def _frontends(spec: Object) -> Iterator[tuple[str, Object]]:
    """Yield each address and port of a Service; without an address of its own it has none."""
    if spec.get("type", "ClusterIP") == "ExternalName":
        return
    for address in spec.get("clusterIPs") or [spec.get("clusterIP", "")]:
        if _is_usable(address):
            for port in spec.get("ports", ()):
                yield address, port


def _endpoints(spec: Object, port: Object, slices: Iterable[Object], node: str) -> set[tuple[str, int]]:
    """Return where connections to a port of a Service go."""
    ready: set[tuple[str, int]] = set()
    serving: set[tuple[str, int]] = set()
    is_local = spec.get("internalTrafficPolicy") == "Local"
    for one in slices:
        # A named target port has another number in each slice.
        numbers = [at["port"] for at in one.get("ports") or () if _is_same(at, port) and at.get("port")]
        for endpoint in one.get("endpoints") or ():
            if is_local and endpoint.get("nodeName") != node:
                continue
            conditions = endpoint.get("conditions") or {}
            # Only the first address of an endpoint is used (EndpointSlice's reference).
            targets = {(a, n) for a in endpoint.get("addresses", ())[:1] if _is_usable(a) for n in numbers}
            if conditions.get("ready", True):
                ready |= targets
            elif conditions.get("serving") and conditions.get("terminating"):
                serving |= targets
    return ready or serving


def _is_same(of_slice: Object, of_service: Object) -> bool:
    return (of_slice.get("name") or "", of_slice.get("protocol", "TCP")) == (
        of_service.get("name") or "",
        of_service.get("protocol", "TCP"),
    )


def _is_usable(text: str) -> bool:
    """Tell whether a guest takes this address."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_multicast or address.is_unspecified)


def _is_ipv4_network(text: str) -> bool:
    try:
        ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return True
