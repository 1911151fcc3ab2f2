# SPDX-License-Identifier: Apache-2.0
"""The reference: a bare QEMU with the arguments of a pod's, from exec to the guest's first byte on the channel."""

import fcntl
import os
import re
import select
import socket
import struct
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from hypernetes.tests.isolation import base

_TUNSETIFF = 0x400454CA
_IFF_TAP_NO_PI_VNET_HDR = 0x0002 | 0x1000 | 0x4000
JAILED_GUEST = "/guest"
"""Where a pod's QEMU finds kernel and initramfs: jailedGuest of runtime/internal/vmm/qemu."""


@dataclass(frozen=True, slots=True)
class Booted:
    """What was measured of one boot."""

    seconds: float
    pss: int
    """Bytes of QEMU without the guest's memory."""


def overhead(pid: int, guest_memory: tuple[int, ...]) -> int:
    """Proportional set size of a process in bytes, without the mappings that are the guest's memory, by their sizes."""
    total = 0
    size = pss = 0
    for line in (Path("/proc") / str(pid) / "smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Size":
            size = int(rest.split()[0]) << 10
        elif name == "Pss":
            pss = int(rest.split()[0]) << 10
            if size not in guest_memory:
                total += pss
    return total


def guest_memory(arguments: list[str]) -> tuple[int, ...]:
    """Bytes of memory a QEMU command line gives its guest: at its start, and for a clone also what can be plugged."""
    start, _, most = arguments[arguments.index("-m") + 1].partition(",maxmem=")
    sizes = [int(word.rstrip("M")) << 20 for word in (start, most) if word]
    return (sizes[0], *(size - sizes[0] for size in sizes[1:]))


def _descriptor(arguments: list[str], pattern: str) -> int | None:
    for argument in arguments:
        found = re.search(pattern, argument)
        if found:
            return int(found.group(1))
    return None


def _tap() -> int:
    """A TAP device that goes away when its descriptor is closed."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    name = f"bench{uuid.uuid4().hex[:6]}".encode()
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22s", name, _IFF_TAP_NO_PI_VNET_HDR, b""))
    return tap


def boot(arguments: list[str]) -> Booted:
    """Start a QEMU with a pod's arguments, with descriptors of its own behind the same numbers.

    :raises AssertionError: the guest says nothing within 60 seconds.
    """
    ours, theirs = socket.socketpair()
    monitor, monitor_theirs = socket.socketpair()
    behind: dict[int, int] = {}
    places = (
        (r"^socket,id=channel,fd=(\d+)", theirs.fileno()),
        (r"^socket,id=monitor,fd=(\d+)", monitor_theirs.fileno()),
        (r"^tap,.*fd=(\d+)", _tap()),
    )
    for pattern, descriptor in places:
        number = _descriptor(arguments, pattern)
        if number is not None:
            behind[number] = descriptor
    sets = [int(m.group(1)) for a in arguments if (m := re.match(r"^fd=(\d+),set=\d+", a))]
    # Layers and scratch disks are plugged later.
    root = os.open(base.LAYOUT.dist / "guest" / "root.erofs", os.O_RDONLY)
    behind |= dict.fromkeys(sets, root)

    # Copied above every number that is wanted first, so that none is overwritten before it has been copied.
    high = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for number, descriptor in behind.items()}

    def arrange() -> None:
        for number, descriptor in high.items():
            os.dup2(descriptor, number, inheritable=True)

    begun = time.monotonic()
    process = subprocess.Popen(
        # QEMU on the node sees the guest's files in its jail.
        [arguments[0], *(word.replace(f"{JAILED_GUEST}/", f"{base.LAYOUT.dist}/guest/") for word in arguments[1:])],
        preexec_fn=arrange,
        pass_fds=tuple(high),
        stderr=subprocess.PIPE,
    )
    try:
        ready, _, _ = select.select([ours], [], [], 60)
        seconds = time.monotonic() - begun
        if not ready or not ours.recv(1):
            process.kill()
            raise AssertionError(f"the reference machine said nothing: {process.communicate()[1].decode()}")
        return Booted(seconds, overhead(process.pid, guest_memory(arguments)))
    finally:
        process.kill()
        process.wait()
        for end in (ours, theirs, monitor, monitor_theirs):
            end.close()
        for descriptor in {*high.values(), root, places[2][1]}:
            os.close(descriptor)
