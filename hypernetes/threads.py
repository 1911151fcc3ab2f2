# SPDX-License-Identifier: Apache-2.0
"""The threads of the services: oslo.service and oslo.messaging are made to use them, and not eventlet."""

import warnings


def use() -> None:
    """Choose threads; to be called before anything imports oslo.messaging, which decides as it is imported."""
    with warnings.catch_warnings():
        # futurist, which oslo.service's threads use, imports eventlet wherever it is installed, and so it is wherever
        # oslo.service is. eventlet then warns of itself on standard error, although nothing of it runs here.
        warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
        from oslo_service import backend

        backend.init_backend(backend.BackendType.THREADING)
