# SPDX-License-Identifier: Apache-2.0
"""Checks of whether a server answers."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path


def answers(url: str, *, ca_file: Path | None = None, accepted: tuple[int, ...] = (200, 300)) -> bool:
    """Return whether a GET of the URL is answered with one of the accepted statuses within 5 s.

    :param ca_file: CA certificate by which an https server is verified.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"not an http address: {url}")
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - checked above
            return answer.status in accepted
    except urllib.error.HTTPError as error:
        return error.code in accepted
    except OSError:
        return False
