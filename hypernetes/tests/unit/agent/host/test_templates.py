# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.templates."""

from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import templates
from hypernetes.tests.support import agent_builders


class TemplatesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.conf, self.layout = agent_builders.configuration(directory), agent_builders.layout(directory)

    def test_there_is_no_program_while_templates_are_off(self) -> None:
        self.assertIsNone(templates.program(self.conf, self.layout))

    def test_other_settings_are_another_program(self) -> None:
        self.conf.set_override("templates", "project", group="node")
        first = templates.program(self.conf, self.layout)
        self.assertEqual(first, templates.program(self.conf, self.layout))
        self.conf.set_override("templates_count", 3, group="node")
        second = templates.program(self.conf, self.layout)
        assert first is not None and second is not None
        self.assertEqual(first.command, second.command)
        self.assertNotEqual(first, second)
