# SPDX-License-Identifier: Apache-2.0
"""Filling the registry runs where ``down`` finds it."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import cgroups
from hypernetes.standalone.components import registry
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class FillTest(unittest.TestCase):
    def test_the_push_is_born_into_the_builds_group(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        layout = Layout(state=place / "state", cache=place / "cache", repository=place)
        (place / "distribution").mkdir()
        (place / "distribution/build").write_text("")
        entered = place / "entered"

        def enter(group: cgroups.ProcessGroup) -> None:
            entered.write_text(group._name)

        with mock.patch.object(cgroups.ProcessGroup, "enter", enter):
            registry._fill(Installation(layout), place / "store")
        self.assertEqual("build", entered.read_text())
