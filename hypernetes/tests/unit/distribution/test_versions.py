# SPDX-License-Identifier: Apache-2.0
"""versions.toml and the Go modules say the same."""

import re
import tomllib
import unittest

from distribution.builder import catalog
from distribution.builder import command
from distribution.builder import kubernetes
from distribution.builder import toolchain

DISTRIBUTION = command.ROOT / "distribution"
VERSIONS = tomllib.loads((DISTRIBUTION / "versions.toml").read_text())
# Hypernetes' module, the program it pins, and the version it must have.
PINNED = (
    ("kubernetes", "k8s.io/kubernetes", VERSIONS["kubernetes"]["version"]),
    ("kubernetes", "go.etcd.io/etcd/server/v3", VERSIONS["kubernetes"]["etcd"]),
    ("containerd", "github.com/containerd/containerd/v2", VERSIONS["containerd"]["version"]),
    ("runc", "github.com/opencontainers/runc", VERSIONS["runc"]["version"]),
    ("registry", "github.com/distribution/distribution/v3", VERSIONS["registry"]["version"]),
    ("csi", "github.com/kubernetes-csi/external-provisioner/v6", VERSIONS["csi"]["provisioner"]),
    ("crane", "github.com/google/go-containerregistry", VERSIONS["crane"]["version"]),
)


class Versions(unittest.TestCase):
    def test_each_module_requires_the_version_of_the_table(self) -> None:
        for module, path, version in PINNED:
            with self.subTest(module):
                text = (DISTRIBUTION / "modules" / module / "go.mod").read_text()
                self.assertRegex(text, rf"(?m)^(?:require)?\s+{re.escape(path)} {re.escape(version)}( //.*)?$")

    def test_the_least_toolchain_serves_every_module(self) -> None:
        least = toolchain.parse_version(VERSIONS["go"]["minimum"])
        for file in [*DISTRIBUTION.glob("modules/*/go.mod"), *DISTRIBUTION.glob("demo/go.mod")]:
            wanted = re.search(r"(?m)^go (\S+)$", file.read_text())
            assert wanted is not None
            with self.subTest(file.parent.name):
                self.assertLessEqual(toolchain.parse_version(wanted.group(1)), least)

    def test_every_component_names_sections_that_exist(self) -> None:
        for component in catalog.COMPONENTS:
            self.assertLessEqual(set(component.versions), set(VERSIONS))

    def test_what_few_need_is_built_only_where_it_is_named(self) -> None:
        left_out = {component.name for component in catalog.COMPONENTS} - set(command.default_names())
        self.assertEqual({"csi"}, left_out)

    def test_programs_state_the_version_in_full_and_in_parts(self) -> None:
        variables = kubernetes.version_variables("v1.37.2")
        self.assertEqual("v1.37.2", variables["k8s.io/component-base/version.gitVersion"])
        self.assertEqual("37", variables["k8s.io/client-go/pkg/version.gitMinor"])
