# SPDX-License-Identifier: Apache-2.0
"""Optional components install what they need once, at the versions that are pinned."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import machine
from hypernetes.standalone import packages
from hypernetes.standalone.components import ceph
from hypernetes.standalone.components import cinder
from hypernetes.standalone.components import horizon
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

REPOSITORY = Path(__file__).parents[4]


class PackagesTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.layout = Layout(state=place / "state", cache=place / "cache", repository=REPOSITORY)
        self.installation = Installation(self.layout)
        patch = mock.patch.object(machine, "run")
        self.run_command = patch.start()
        self.addCleanup(patch.stop)

    def test_the_pinned_versions_are_known(self) -> None:
        for project in (horizon.PROJECT, cinder.NAME):
            self.assertRegex(packages.pinned(self.installation, project), r"^\d+\.\d+")

    def test_an_extra_is_installed_unless_its_version_is_there(self) -> None:
        packages.install_extra(self.installation, "cinder", cinder.NAME)
        words = [str(word) for word in self.run_command.call_args.args[0]]
        self.assertIn(f"{REPOSITORY}[standalone,cinder]", words)
        version = packages.pinned(self.installation, cinder.NAME)
        (self.layout.venv / f"lib/python3.11/site-packages/cinder-{version}.dist-info").mkdir(parents=True)
        self.run_command.reset_mock()
        packages.install_extra(self.installation, "cinder", cinder.NAME)
        self.run_command.assert_not_called()

    def test_an_older_version_is_replaced(self) -> None:
        (self.layout.venv / "lib/python3.11/site-packages/cinder-1.0.dist-info").mkdir(parents=True)
        packages.install_extra(self.installation, "cinder", cinder.NAME)
        self.run_command.assert_called_once()

    def test_ceph_s_packages_have_a_profile_of_their_own(self) -> None:
        # What every quickstart installs must not grow by them.
        lines = (REPOSITORY / "bindep.txt").read_text().splitlines()
        profiles = {line.split()[0]: line for line in lines if line and not line.startswith("#")}
        for name in ("ceph-mon", "ceph-osd", "ceph-mgr", "ceph-common", "python3-rbd"):
            self.assertTrue(profiles[name].endswith(f"[platform:dpkg {ceph.NAME}]"), profiles[name])
