# SPDX-License-Identifier: Apache-2.0
"""What the quickstart's Cinder reads."""

import tempfile
import unittest
from pathlib import Path

from hypernetes.standalone import ini
from hypernetes.standalone.components import ceph
from hypernetes.standalone.components import cinder
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class ConfigurationTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))
        self.sections = cinder.configuration(self.installation)

    def test_the_backend_is_the_one_its_key_is_for(self) -> None:
        backend = self.sections[cinder.BACKEND]
        self.assertIn(backend["rbd_user"], ceph.CLIENTS)
        self.assertEqual(ceph.POOL, backend["rbd_pool"])
        self.assertEqual([cinder.BACKEND], self.sections["DEFAULT"]["enabled_backends"])

    def test_messages_stay_in_a_virtual_host_of_its_own(self) -> None:
        text = ini.render(self.sections)
        self.assertRegex(text, r"transport_url = rabbit://cinder:[^@]+@198\.51\.100\.1:5671/cinder\n")

    def test_a_volume_belongs_to_a_host_of_a_fixed_name(self) -> None:
        # Cinder would take the machine's name, which may change, and with it every volume would lose its backend.
        self.assertEqual("control", self.sections["DEFAULT"]["host"])
