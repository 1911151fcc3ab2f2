# SPDX-License-Identifier: Apache-2.0
"""What daemons and clients of the quickstart's Ceph read."""

import configparser
import tempfile
import unittest
import uuid
from pathlib import Path
from unittest import mock

from hypernetes.standalone import ini
from hypernetes.standalone.components import ceph
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

CLUSTER = uuid.UUID("6f1d2c3b-4a59-4687-a1b2-c3d4e5f60718")


class ConfigurationTest(unittest.TestCase):
    def setUp(self) -> None:
        self.read = configparser.ConfigParser(interpolation=None)
        self.read.read_string(ini.render(ceph.configuration(Path("/state/ceph"), CLUSTER)))

    def test_only_the_encrypted_protocol_is_spoken(self) -> None:
        section = self.read["global"]
        self.assertEqual("false", section["ms_bind_msgr1"])
        modes = {name: value for name, value in section.items() if name.startswith("ms_") and name.endswith("_mode")}
        self.assertEqual(6, len(modes))
        self.assertEqual({"secure"}, set(modes.values()))

    def test_everybody_proves_who_they_are(self) -> None:
        for who in ("cluster", "service", "client"):
            self.assertEqual("cephx", self.read["global"][f"auth_{who}_required"])

    def test_no_value_refers_to_a_variable(self) -> None:
        # oslo.config's way to write a dollar sign is not Ceph's.
        self.assertNotIn("$", ini.render(ceph.configuration(Path("/state/ceph"), CLUSTER)))

    def test_each_client_has_a_key_of_its_own(self) -> None:
        rings = [self.read[f"client.{name}"]["keyring"] for name in ceph.CLIENTS]
        self.assertEqual(len(ceph.CLIENTS), len(set(rings)))


class ReadyTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place, cache=place, repository=place))

    def ready(self, *states: str) -> bool:
        groups = [{"state_name": state, "count": 1} for state in states]
        with mock.patch.object(ceph, "status", return_value={"pgmap": {"pgs_by_state": groups}}):
            return ceph.ready(self.installation)

    def test_a_pool_that_takes_writes_is_ready(self) -> None:
        self.assertTrue(self.ready("active+clean", "active+clean+scrubbing"))

    def test_a_pool_that_is_not_there_or_not_whole_is_not(self) -> None:
        self.assertFalse(self.ready())
        self.assertFalse(self.ready("active+clean", "peering"))
        self.assertFalse(self.ready("inactive"))
        with mock.patch.object(ceph, "status", return_value={}):
            self.assertFalse(ceph.ready(self.installation))
