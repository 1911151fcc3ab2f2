# SPDX-License-Identifier: Apache-2.0
"""The API reference describes every route, every field and every query parameter, and no others."""

import re
from pathlib import Path
from typing import Any

import testtools

from hypernetes.api import routes

SOURCE = Path(__file__).parents[4] / "api-ref/source"
PAGES = {path: path.read_text() for path in SOURCE.glob("*.rst")}
_ROW = re.compile(r"^``(GET|POST|PUT|PATCH|DELETE)`` +``(/v1[^`]*)`` +.*?(\d{3})", re.MULTILINE)


def literals(text: str) -> set[str]:
    """Return what a page has in double backquotes; of ``all_projects=true`` the name."""
    return {literal.partition("=")[0] for literal in re.findall(r"``([^`]+)``", text)}


def properties(schema: dict[str, Any] | None) -> set[str]:
    """Return the names of a body's or a query's fields; of one object for a page of a list."""
    fields = dict((schema or {}).get("properties", {}))
    for value in list(fields.values()):
        items = value.get("items", {}) if isinstance(value, dict) else {}
        if "links" in fields and "id" in items.get("properties", {}):
            return set(items["properties"])
    return set(fields)


class ReferenceTest(testtools.TestCase):
    def page(self, path: str) -> str:
        """Return the page on a resource."""
        return PAGES[SOURCE / f"{path.split('/')[2]}.rst"]

    def routes(self) -> list[Any]:
        """Return the routes on resources."""
        return [route for route in routes.ROUTES if route.path.startswith("/v1/")]

    def test_every_route_has_a_row_with_its_status(self) -> None:
        served = {(route.method, route.path, str(route.status)) for route in self.routes()}
        described = {row for text in PAGES.values() for row in _ROW.findall(text)}
        self.assertEqual(served, described)

    def test_every_field_is_described(self) -> None:
        for route in self.routes():
            for schema in (route.body, route.query, route.answer):
                missing = properties(schema) - literals(self.page(route.path))
                self.assertEqual(set(), missing, f"{route.method} {route.path}")

    def test_fields_are_found(self) -> None:
        (listed,) = [route for route in self.routes() if (route.method, route.path) == ("GET", "/v1/namespaces")]
        self.assertIn("subnet_cidr", properties(listed.answer))
        self.assertIn("all_projects", properties(listed.query))
