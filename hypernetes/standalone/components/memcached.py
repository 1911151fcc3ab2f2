# SPDX-License-Identifier: Apache-2.0
"""memcached: token validations, which their writers encrypt, and Keystone's caches."""

from __future__ import annotations

import socket

from hypernetes.standalone import addresses
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program


def start(installation: Installation) -> None:
    """Start it as ``nobody`` with 64 MB."""
    command = ["/usr/bin/memcached", "-u", "nobody", "-l", addresses.MEMCACHED, "-m", "64", "-t", "1"]
    installation.control.apply(Program(name="memcached", command=command))


def ready(_installation: Installation) -> bool:
    """Return whether it answers."""
    try:
        with socket.create_connection((addresses.INTERNAL, addresses.MEMCACHED_PORT), timeout=2) as connection:
            connection.sendall(b"version\r\n")
            return connection.recv(64).startswith(b"VERSION")
    except OSError:
        return False


COMPONENT = Component(
    name="memcached",
    summary="cache of token validations",
    needs=("supervisor", "bridge"),
    start=start,
    ready=ready,
    timeout=20,
)
