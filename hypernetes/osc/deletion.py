# SPDX-License-Identifier: Apache-2.0
"""What the delete commands share: several names, and a failure of one does not keep the others."""

import argparse
import functools
import logging
import time
from collections.abc import Callable
from typing import Any
from typing import ClassVar

from osc_lib import exceptions

from hypernetes.osc import clients
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.osc import wait

LOG = logging.getLogger(__name__)


class DeleteCommand(help_format.Preformatted):
    """Base of the commands that delete."""

    noun: ClassVar[str]
    """The resource as the command line and the methods of the proxy name it."""
    wait_seconds: ClassVar[int]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            self.noun, metavar=f"<{self.noun}>", nargs="+", help=f"{self.noun.capitalize()}(s) to delete (name or ID)."
        )
        wait.add_arguments(parser, self.wait_seconds)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        deadline = time.monotonic() + parsed_args.timeout
        names = getattr(parsed_args, self.noun)
        deleting = [
            found
            for name in names
            if (found := self._attempt(name, functools.partial(self._delete, name, parsed_args)))
        ]
        ended = deleting
        if parsed_args.wait:
            ended = [it for it in deleting if self._attempt(it.name, functools.partial(self._wait, it, deadline))]
        failures = len(names) - len(ended)
        if failures:
            raise exceptions.CommandError(f"{failures} of {len(names)} {self.noun}s failed to delete.")

    def _attempt(self, name: str, action: Callable[[], Any]) -> Any:
        try:
            with errors.reported():
                return action()
        except wait.InterruptedWait:
            raise
        except exceptions.CommandError as error:
            LOG.error("Failed to delete %s with name or ID '%s': %s", self.noun, name, error)
            return None

    def request(self, client: Any, found: Any, parsed_args: argparse.Namespace) -> None:
        """Request the deletion of a resource that was found."""
        del parsed_args
        getattr(client, f"delete_{self.noun}")(found.id, ignore_missing=False)

    def _delete(self, name: str, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        found = getattr(client, f"find_{self.noun}")(name, ignore_missing=False)
        self.request(client, found, parsed_args)
        return found

    def _wait(self, resource: Any, deadline: float) -> Any:
        get = getattr(clients.kube(self), f"get_{self.noun}")
        seconds = max(deadline - time.monotonic(), 0.0)
        wait.until(f"{self.noun} {resource.name}", lambda: get(resource.id), None, seconds)
        return resource
