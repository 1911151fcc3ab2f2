# SPDX-License-Identifier: Apache-2.0
"""The settings that the quickstart's Horizon reads."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from hypernetes.standalone.components import horizon
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

REPOSITORY = Path(__file__).parents[5]


class LocalSettingsTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=REPOSITORY))

    def settings(self) -> dict[str, Any]:
        read: dict[str, Any] = {}
        exec(horizon.local_settings(self.installation), read)
        return read

    def test_horizon_s_own_list_of_panels_is_not_replaced(self) -> None:
        # Horizon's settings import every public name of this file.
        self.assertNotIn("enabled", self.settings())

    def test_panels_and_policies_are_found(self) -> None:
        read = self.settings()
        panels = Path(read["_panels"].__path__[-1])
        self.assertTrue((panels / "_1381_project_kubernetes_namespaces_panel.py").exists())
        self.assertTrue(Path(read["DEFAULT_POLICY_FILES"]["kubernetes"]).exists())
        self.assertIn("identity", read["POLICY_FILES"])

    def test_a_session_s_cookie_is_sent_over_tls_only(self) -> None:
        read = self.settings()
        self.assertTrue(read["SESSION_COOKIE_SECURE"] and read["CSRF_COOKIE_SECURE"])
        self.assertFalse(read["DEBUG"])
