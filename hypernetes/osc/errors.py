# SPDX-License-Identifier: Apache-2.0
"""Reports an error in the API's own words, which name cause and remedy; openstacksdk would show only a status."""

import contextlib
from collections.abc import Iterator

from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.sdk import errors


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn openstacksdk's exceptions into one line; the command then ends with exit status 1.

    :raises exceptions.CommandError: when the block raises one of openstacksdk's exceptions.
    """
    try:
        yield
    except sdk.HttpException as error:
        raise exceptions.CommandError(errors.detail(error)) from error
    except sdk.SDKException as error:
        raise exceptions.CommandError(str(error)) from error
