# SPDX-License-Identifier: Apache-2.0
"""What WSGI middleware is made of, with types: WebOb's decorator has none."""

from collections.abc import Callable
from typing import cast
from wsgiref.types import WSGIApplication

import webob
import webob.dec

Middleware = Callable[[WSGIApplication], WSGIApplication]


def wsgi_application(function: Callable[[webob.Request], webob.Response]) -> WSGIApplication:
    """Make a WSGI application of a function from a request to its response."""
    return cast(WSGIApplication, webob.dec.wsgify(function))
