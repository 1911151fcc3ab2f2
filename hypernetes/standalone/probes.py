# SPDX-License-Identifier: Apache-2.0
"""Questions to a server that tell whether it serves."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path


def answers(url: str, *, authority: Path | None = None, accepted: tuple[int, ...] = (200, 300)) -> bool:
    """Whether a GET of the address is answered with one of the accepted statuses within 5 s.

    :param authority: certificate of the authority that an https server must prove itself by
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"not an http address: {url}")
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - checked above
            return answer.status in accepted
    except urllib.error.HTTPError as error:
        return error.code in accepted
    except OSError:
        return False
