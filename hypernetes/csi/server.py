# SPDX-License-Identifier: Apache-2.0
"""Serves the driver's calls by gRPC on a Unix socket, and turns errors of the model into gRPC's."""

import os
import time
from collections.abc import Callable
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from oslo_log import log

from hypernetes.csi import protocol
from hypernetes.model import errors

LOG = log.getLogger(__name__)

Method = Callable[[Any], Any]
"""Takes a request and returns the response; raises errors of the model."""


class OutOfRange(errors.BadRequest):
    """The size that was asked for is none that Cinder has."""


class Pending(errors.Unavailable):
    """Work on the volume is in progress; the same call returns its result later."""

    code = "hypernetes.volume.pending"
    template = "{reason}."
    remedy = "The operation is retried automatically."


class Mismatch(errors.Conflict):
    """A volume of that name exists, and is not what is asked for."""


# The most special first. csi-provisioner takes UNAVAILABLE and ABORTED for calls that may have had an effect, and
# repeats them until another answer, also when the claim is gone; all other codes end the matter until it tries again.
_CODES: tuple[tuple[type[errors.HypernetesError], grpc.StatusCode], ...] = (
    (OutOfRange, grpc.StatusCode.OUT_OF_RANGE),
    (errors.BadRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (Pending, grpc.StatusCode.ABORTED),
    (Mismatch, grpc.StatusCode.ALREADY_EXISTS),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.QuotaExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Conflict, grpc.StatusCode.FAILED_PRECONDITION),
)


def code_of(error: errors.HypernetesError) -> grpc.StatusCode:
    """Return gRPC's code for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def serve(path: Path, services: Mapping[str, Mapping[str, Method]], workers: int) -> grpc.Server:
    """Start serving the methods of each service at a Unix socket that only this user may open.

    :param services: methods by their names, by the name of their service.
    :param workers: number of calls at a time.
    :raises OSError: when the socket cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = grpc.server(futures.ThreadPoolExecutor(workers))
    for name, methods in services.items():
        handlers = {method: _handler(method, function) for method, function in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{protocol.PACKAGE}.{name}", handlers),))
    before = os.umask(0o177)
    try:
        if server.add_insecure_port(f"unix:{path}") == 0:
            raise OSError(f"cannot listen at {path}")
    finally:
        os.umask(before)
    server.start()
    return server


def _handler(name: str, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        begin = time.monotonic()
        try:
            response = method(request)
        except errors.HypernetesError as error:
            code = code_of(error)
            LOG.info("%s: %s after %.2f s: %s", name, code.name, time.monotonic() - begin, error)
            context.abort(code, error.detail)
        except Exception:
            LOG.exception("%s failed", name)
            context.abort(grpc.StatusCode.INTERNAL, errors.HypernetesError().detail)
        LOG.debug("%s: OK after %.2f s", name, time.monotonic() - begin)
        return response

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=protocol.message(f"{name}Request").FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
