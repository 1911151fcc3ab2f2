# SPDX-License-Identifier: Apache-2.0
"""Transactions with Open vSwitch: exactly those that plug, await, list and unplug pods' ports."""

import re
import subprocess

from hypernetes.agent import privileged

_CONNECTION = re.compile(r"unix:/[\w./-]+|(tcp|ssl):[\w.:\[\]-]+")
_BRIDGE = r"[A-Za-z0-9][\w.-]{0,14}"
_TAP = r"tap[0-9a-f-]{11}"
_EXTERNAL_ID = r'external_ids:(iface-id|iface-status|attached-mac|vm-id|hypernetes-sandbox)="[\w.:-]*"'

_TRANSACTIONS = tuple(
    re.compile("\0".join(words))
    for words in (
        ("--", "--may-exist", "add-port", _BRIDGE, _TAP, "--", "set", "Interface", _TAP + f"(\0{_EXTERNAL_ID})+"),
        ("--", "--if-exists", "del-port", _BRIDGE, _TAP),
        ("wait-until", "Interface", _TAP, "external_ids:ovn-installed=true"),
        ("--columns=name,external_ids", "find", "Interface", 'external_ids:hypernetes-sandbox!=""'),
        ("br-exists", _BRIDGE),
    )
)
"""What the daemon runs, as patterns of the words joined by NUL: options of ovs-vsctl such as --log-file would let the
agent write files as root."""


def check(connection: str, arguments: list[str]) -> None:
    """Check that a transaction is one of the known ones.

    :raises ValueError: when it is not.
    """
    if not _CONNECTION.fullmatch(connection):
        raise ValueError(f"{connection!r} is not the connection of a database")
    joined = "\0".join(arguments)
    if len(joined.split("\0")) != len(arguments) or not any(known.fullmatch(joined) for known in _TRANSACTIONS):
        raise ValueError(f"{arguments!r} is not a transaction of the agent")


@privileged.context.entrypoint
def vsctl(connection: str, timeout: float, arguments: list[str]) -> str:
    """Run one transaction with ovs-vsctl and return what it prints.

    :param timeout: seconds until ovs-vsctl gives up.
    :raises ValueError: when it is not a transaction that the agent needs.
    :raises RuntimeError: when it fails or times out; the text ends with what it printed.
    """
    check(connection, arguments)
    command = ["ovs-vsctl", f"--db={connection}", f"--timeout={max(1, round(timeout))}", "--format=json", *arguments]
    try:
        ended = subprocess.run(  # noqa: S603 - the arguments are a list; no shell
            command,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout + 5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"ovs-vsctl: {error}") from error
    if ended.returncode != 0:
        raise RuntimeError(f"ovs-vsctl: {ended.stderr.decode(errors='replace').strip()[-500:]}")
    return ended.stdout.decode()
