# SPDX-License-Identifier: Apache-2.0
"""Makes lightkube's types ready before threads share them.

msgspec, which lightkube decodes with, learns a type when it is first decoded into, and a thread that meets a type
half learnt ends the process by a segmentation fault (seen with msgspec 0.22). So each kind is decoded into once,
under a lock, before anything else is.
"""

import contextlib
import threading

import msgspec
from lightkube.core import decoders
from lightkube.core import resource

_lock = threading.Lock()
_ready: set[type[resource.Resource]] = set()


def prepare(kind: type[resource.Resource]) -> None:
    """Have the kind, its list and what an apiserver answers instead learnt; cheap when they are."""
    if kind in _ready:
        return
    with _lock:
        if kind in _ready:
            return
        # Some kinds have required fields; a type is learnt before it is found that they are missing.
        with contextlib.suppress(msgspec.ValidationError):
            decoders.decode_object(b"{}", kind)
        decoders.decode_list(b'{"items": []}', kind)
        decoders.decode_status(b"{}")
        decoders.decode_watch_event(b'{"type": "", "object": {}}')
        _ready.add(kind)
