# SPDX-License-Identifier: Apache-2.0
"""The quickstart's CSI driver: what it reads, and that it comes with Cinder."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import yaml

from hypernetes.standalone import commands
from hypernetes.standalone import ini
from hypernetes.standalone.components import hypernetes_conductor
from hypernetes.standalone.components import hypernetes_csi
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class DriverTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))

    def test_driver_and_sidecar_meet_at_one_socket_with_one_certificate(self) -> None:
        options = ini.render(hypernetes_csi.configuration(self.installation, "c1"))
        command = " ".join(str(word) for word in hypernetes_csi.provisioner(self.installation))
        for path in (hypernetes_csi.socket(self.installation), hypernetes_csi.kubeconfig(self.installation)):
            self.assertIn(str(path), options)
            self.assertIn(str(path), command)
        self.assertIn("--extra-create-metadata", command)

    def test_the_apiserver_is_reached_at_its_address(self) -> None:
        text = yaml.safe_dump({"clusters": [{"name": "demo", "cluster": {"server": "https://name:6443"}}]})
        made = yaml.safe_load(hypernetes_csi.reached_at(text, "https://198.51.100.11:6443"))
        self.assertEqual("https://198.51.100.11:6443", made["clusters"][0]["cluster"]["server"])

    def test_the_driver_the_class_and_the_volumes_come_with_cinder_alone(self) -> None:
        def offered() -> bool:
            return "storage_classes" in hypernetes_conductor.configuration(self.installation)["kubernetes"]

        parts = {"cinder", "hypernetes-csi", "volumes"}
        self.assertFalse(parts & set(commands.chosen(self.installation)) or offered())
        self.installation.record("with", "cinder")
        self.assertLessEqual(parts, set(commands.chosen(self.installation)))
        self.assertTrue(offered())

    def test_what_only_comes_with_others_cannot_be_chosen(self) -> None:
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            commands.parser().parse_args(["up", "--with", "volumes"])
