# SPDX-License-Identifier: Apache-2.0
"""Says what the API said. Its errors (API-SIG) name cause and remedy; the SDK would show only a status."""

import contextlib
from collections.abc import Iterator

from openstack import exceptions as sdk
from osc_lib import exceptions


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn the SDK's exceptions into a line for people; the exit status of the command is then 1.

    :raises exceptions.CommandError: with the API's own words.
    """
    try:
        yield
    except sdk.HttpException as error:
        raise exceptions.CommandError(_words(error)) from error
    except sdk.SDKException as error:
        raise exceptions.CommandError(str(error)) from error


def _words(error: sdk.HttpException) -> str:
    try:
        first = error.response.json()["errors"][0]
        return str(first.get("detail") or first["title"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return str(error)
