# SPDX-License-Identifier: Apache-2.0
"""The API for the panels: the SDK with the token of the user who is logged in, and errors as Horizon has them."""

import contextlib
from collections.abc import Iterator
from typing import Any
from typing import cast

from django.conf import settings
from horizon import exceptions
from keystoneauth1 import session
from keystoneauth1 import token_endpoint
from keystoneauth1.exceptions import ClientException
from openstack import connection as sdk_connection
from openstack import exceptions as sdk
from openstack_dashboard.api import base

from hypernetes.sdk import errors
from hypernetes.sdk import proxy
from hypernetes.sdk import service

TIMEOUT_SECONDS = 30


def kubernetes(request: Any) -> proxy.Proxy:
    """Return the SDK's proxy, which acts as the user and in the project and the region of the request.

    :raises horizon.exceptions.ServiceCatalogException: when the region does not have the service.
    """
    url = base.url_for(request, service.SERVICE_TYPE).rstrip("/")
    verify = False if settings.OPENSTACK_SSL_NO_VERIFY else settings.OPENSTACK_SSL_CACERT or True
    plugin = token_endpoint.Token(url, request.user.token.id)
    connection = sdk_connection.Connection(
        session=session.Session(auth=plugin, verify=verify, timeout=TIMEOUT_SECONDS),
        kubernetes_endpoint_override=url if url.endswith("/v1") else f"{url}/v1",
    )
    service.register(connection)
    return cast(proxy.Proxy, cast(Any, connection).kubernetes)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the SDK's exceptions into Horizon's, in the words of the API.

    Horizon takes every HTTP error of the SDK for a lost login and would log the user out; only 401 means that.
    """
    try:
        yield
    except sdk.NotFoundException as error:
        raise exceptions.NotFound(errors.detail(error)) from error
    except sdk.ConflictException as error:
        raise exceptions.Conflict(errors.detail(error)) from error
    except sdk.HttpException as error:
        if getattr(error, "status_code", None) == 401:
            raise exceptions.NotAuthorized from error
        raise exceptions.BadRequest(errors.detail(error)) from error
    except (sdk.SDKException, ClientException) as error:
        raise exceptions.NotAvailable(str(error)) from error
