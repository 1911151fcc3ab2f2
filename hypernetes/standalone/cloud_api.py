# SPDX-License-Identifier: Apache-2.0
"""Hypernetes' public REST API as one of the stack's users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.components import identity
from hypernetes.standalone.installation import Installation

REQUEST_TIMEOUT = 60


class Api:
    """Requests with a user's token, in the project of the user's name."""

    def __init__(self, installation: Installation, user: str) -> None:
        self._session = identity.cloud(installation, user, project=user).session

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Send one request; the status and the answer's JSON (None when it has none), whatever the status."""
        answer = self._session.request(
            addresses.API_URL + path, method, json=body, raise_exc=False, timeout=REQUEST_TIMEOUT
        )
        return answer.status_code, answer.json() if answer.content else None

    def find(self, collection: str, name: str) -> dict[str, Any] | None:
        """The record of this name in a collection, such as ``nodes``; None when there is none.

        :raises StandaloneError: when the API refuses.
        """
        status, answer = self.request("GET", f"/v1/{collection}?name={name}")
        if status != 200:
            raise machine.StandaloneError(f"the API answered {status} to a list of {collection}: {answer}")
        found = [record for record in answer[collection] if record["name"] == name]
        return found[0] if found else None

    def create(self, collection: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Make a record; what the API answered.

        :raises StandaloneError: when the API refuses.
        """
        status, answer = self.request("POST", f"/v1/{collection}", body)
        if status not in (200, 201, 202):
            raise machine.StandaloneError(f"the API answered {status} to the creation of one of {collection}: {answer}")
        return dict(answer)
