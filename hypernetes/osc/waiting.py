# SPDX-License-Identifier: Apache-2.0
"""Follows an object until it is what was asked for, has failed or is gone, and shows each change on standard error."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from openstack import exceptions as sdk
from osc_lib import exceptions

FAILED = "ERROR"
POLL_SECONDS = 2.0
QUIET_SECONDS = 20.0
"""After so long without a change a line says that it goes on."""


def add_arguments(parser: argparse.ArgumentParser, seconds: int) -> None:
    """Add ``--wait`` and ``--timeout``."""
    parser.add_argument("--wait", action="store_true", help="Wait for the end, showing each change of status.")
    parser.add_argument(
        "--timeout",
        metavar="<seconds>",
        type=int,
        default=seconds,
        help=f"Give up waiting after this time (default: {seconds}). What was asked for goes on all the same.",
    )


def until(
    what: str,
    read: Callable[[], Any],
    wanted: str | None,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Any:
    """The object as soon as its status is ``wanted``; None as soon as it is gone, if ``wanted`` is None.

    :param what: how the object is called in the lines of progress.
    :param read: reads the object; raises the SDK's ``NotFoundException`` when it is gone.
    :raises exceptions.CommandError: it failed, disappeared or took longer than ``seconds``.
    """
    began, shown, said = clock(), "", clock()

    def say(text: str) -> None:
        sys.stderr.write(f"{what}: {text} ({clock() - began:.0f} s)\n")
        sys.stderr.flush()

    while True:
        try:
            item = read()
        except sdk.NotFoundException:
            if wanted is None:
                say("gone")
                return None
            raise exceptions.CommandError(f"{what} has disappeared; somebody has deleted it") from None
        now = _line(item)
        if now != shown or clock() - said >= QUIET_SECONDS:
            say(now)
            shown, said = now, clock()
        if item.status == wanted:
            return item
        if item.status == FAILED:
            raise exceptions.CommandError(f"{what} has failed: {item.status_reason or 'no reason is known'}")
        if clock() - began > seconds:
            raise exceptions.CommandError(f"{what} is still {item.status} after {seconds:.0f} s; it goes on by itself")
        try:
            sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise exceptions.CommandError(f"no longer waiting: {what} is {item.status}; it goes on by itself") from None


def _line(item: Any) -> str:
    details = [text for text in (getattr(item, "phase", None), item.status_reason) if text]
    return ": ".join([item.status, *details])
