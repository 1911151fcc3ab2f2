# SPDX-License-Identifier: Apache-2.0
"""Prepares lightkube's types before threads share them.

msgspec, which lightkube decodes with, analyzes a type when it is first decoded into. A thread that uses a type during
that analysis crashes the process with a segmentation fault (seen with msgspec 0.22). So each kind is decoded once under
a lock before it is used.
"""

import contextlib
import threading

import msgspec
from lightkube.core import decoders
from lightkube.core import resource

_lock = threading.Lock()
_ready: set[type[resource.Resource]] = set()


def prepare(kind: type[resource.Resource]) -> None:
    """Decode the kind, its list and an apiserver's status once; return at once if that was done."""
    if kind in _ready:
        return
    with _lock:
        if kind in _ready:
            return
        # Some kinds have required fields; the type is analyzed before they are found missing.
        with contextlib.suppress(msgspec.ValidationError):
            decoders.decode_object(b"{}", kind)
        decoders.decode_list(b'{"items": []}', kind)
        decoders.decode_status(b"{}")
        decoders.decode_watch_event(b'{"type": "", "object": {}}')
        _ready.add(kind)
