# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.cgroups, on plain directories."""

from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import cgroups

MOUNTINFO = """\
21 20 0:5 / /proc rw - proc proc rw
30 29 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 29 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


class CgroupsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.mount = Path(self.useFixture(fixtures.TempDir()).path)

    def test_every_hierarchy_is_found_and_nothing_else(self) -> None:
        self.assertEqual(
            [("memory", True), ("cpuset", False), ("unified", False)],
            [(path.name, "memory" in options) for path, options in cgroups.hierarchies(MOUNTINFO)],
        )

    def test_a_group_is_made_with_those_above_it_and_again_without_harm(self) -> None:
        for _ in range(2):
            cgroups.create("/hypernetes/node1", [(self.mount, frozenset({"memory"}))])
        self.assertTrue((self.mount / "hypernetes/node1").is_dir())

    def test_a_new_cpuset_takes_its_parents_processors(self) -> None:
        for name, value in (("cpus", "0-1\n"), ("mems", "0\n")):
            (self.mount / f"cpuset.{name}").write_text(value)
            (self.mount / "a").mkdir(exist_ok=True)
            # The kernel makes these files with the directory.
            (self.mount / "a" / f"cpuset.{name}").write_text("\n")
        cgroups.create("/a", [(self.mount, frozenset({"cpuset"}))])
        self.assertEqual("0-1\n", (self.mount / "a" / "cpuset.cpus").read_text())

    def test_removing_takes_empty_groups_and_leaves_other_nodes(self) -> None:
        mounts = [(self.mount, frozenset({"memory"}))]
        cgroups.create("/hypernetes/node1/kubepods/pod1", mounts)
        cgroups.create("/hypernetes/node2", mounts)
        cgroups.remove("/hypernetes/node1", mounts)
        self.assertEqual(["node2"], [path.name for path in (self.mount / "hypernetes").iterdir()])
        cgroups.remove("/hypernetes/node2", mounts)
        self.assertEqual([], list(self.mount.iterdir()))

    def test_the_root_is_never_removed(self) -> None:
        (self.mount / "a").mkdir()
        cgroups.remove("/", [(self.mount, frozenset())])
        self.assertTrue((self.mount / "a").is_dir())

    def test_kubelets_root_is_found_among_kubeadms_documents(self) -> None:
        text = "kind: InitConfiguration\n---\nkind: KubeletConfiguration\ncgroupRoot: /hypernetes/node1\n"
        self.assertEqual("/hypernetes/node1", cgroups.kubelet_root(text))
        self.assertEqual("", cgroups.kubelet_root("kind: InitConfiguration\n"))
