# SPDX-License-Identifier: Apache-2.0
"""Follows a resource until it has the wanted status, has failed or is gone, and reports each change on standard error.

openstacksdk's own wait functions report neither ``status_reason`` nor what an operation is doing meanwhile.
"""

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
"""After this time without a change the line is printed again."""


class InterruptedWait(exceptions.CommandError):
    """The user no longer wants to wait."""


def add_arguments(parser: argparse.ArgumentParser, seconds: int) -> None:
    """Add ``--wait`` and ``--timeout``."""
    parser.add_argument(
        "--wait", action="store_true", help="Wait for the operation to complete, printing each status change."
    )
    parser.add_argument(
        "--timeout",
        metavar="<seconds>",
        type=int,
        default=seconds,
        help=f"Stop waiting after this many seconds (default: {seconds}); the operation continues on the server.",
    )


def until(
    label: str,
    fetch: Callable[[], Any],
    wanted: str | None,
    seconds: float,
    *,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], float] | None = None,
) -> Any:
    """Wait until the status is ``wanted``, or until the resource is gone if ``wanted`` is None.

    :param label: names the resource in the lines of progress.
    :param fetch: returns the resource; raises openstacksdk's ``NotFoundException`` when it is gone.
    :param seconds: how long to wait at most.
    :returns: the resource; None if it is gone.
    :raises exceptions.CommandError: when it failed, was deleted, or takes longer than ``seconds``.
    :raises InterruptedWait: when the user interrupts.
    """
    sleep, clock = sleep or time.sleep, clock or time.monotonic
    began = clock()
    printed, printed_at = "", began

    def report(text: str) -> None:
        sys.stderr.write(f"{label}: {text} ({clock() - began:.0f} s)\n")
        sys.stderr.flush()

    while True:
        try:
            resource = fetch()
        except sdk.NotFoundException:
            if wanted is None:
                report("deleted")
                return None
            raise exceptions.CommandError(f"{label} no longer exists; it was deleted") from None
        text = progress(resource)
        if text != printed or clock() - printed_at >= QUIET_SECONDS:
            report(text)
            printed, printed_at = text, clock()
        if resource.status == wanted:
            return resource
        if resource.status == FAILED:
            raise exceptions.CommandError(f"{label} failed: {resource.status_reason or 'no reason is known'}")
        if clock() - began > seconds:
            raise exceptions.CommandError(
                f"{label} is still {resource.status} after {seconds:.0f} s; the operation continues on the server"
            )
        try:
            sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise InterruptedWait(
                f"no longer waiting: {label} is {resource.status}; the operation continues on the server"
            ) from None


def progress(resource: Any) -> str:
    """Return the status and what the time is spent on."""
    details = [text for text in (getattr(resource, "phase", None), resource.status_reason) if text]
    return ": ".join([resource.status, *details])
