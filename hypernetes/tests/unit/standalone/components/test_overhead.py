# SPDX-License-Identifier: Apache-2.0
"""A pod's declared overhead against what its machine was measured to take."""

import re
from collections.abc import Sequence
from pathlib import Path

import testtools
from oslo_config import cfg

import hypernetes
from hypernetes.conf import kubernetes
from hypernetes.conf import node
from hypernetes.standalone.components import hypernetes_conductor

MIB = 1 << 20
SHIM = 40 * MIB
DRIVER = Path(hypernetes.__file__).parents[1] / "runtime" / "internal" / "vmm" / "qemu" / "command.go"


def default(options: Sequence[cfg.Opt], name: str) -> str:
    """Return an option's default."""
    return str(next(option.default for option in options if option.name == name))


class OverheadTest(testtools.TestCase):
    """boottest holds the monitor's share to what a busy machine really takes."""

    def setUp(self) -> None:
        super().setUp()
        found = re.search(r"^const ownMemory = (\d+) << 20$", DRIVER.read_text(), re.MULTILINE)
        assert found is not None
        self.monitor = int(found.group(1)) * MIB
        self.guest = int(default(node.OPTIONS, "overhead_memory"))

    def test_the_default_holds_a_machine_under_kvm(self) -> None:
        declared = default(kubernetes.OPTIONS, "pod_overhead_memory")
        self.assertGreaterEqual(int(declared.removesuffix("Mi")) * MIB, self.guest + self.monitor)

    def test_the_quickstart_s_holds_an_emulated_machine_and_its_shim(self) -> None:
        declared = int(hypernetes_conductor.POD_OVERHEAD_MEMORY.removesuffix("Mi")) * MIB
        buffer = int(default(node.OPTIONS, "translation_buffer"))
        self.assertGreaterEqual(declared, self.guest + self.monitor + buffer + SHIM)
