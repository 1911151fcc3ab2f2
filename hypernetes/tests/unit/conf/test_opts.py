# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.conf.opts."""

import testtools
from oslo_config import cfg

from hypernetes.conf import opts


class RegisterTest(testtools.TestCase):
    def test_a_value_of_one_configuration_is_not_another_ones(self) -> None:
        one, other = cfg.ConfigOpts(), cfg.ConfigOpts()
        for conf in (one, other):
            opts.register(conf, "conductor")
            conf([], default_config_files=[], default_config_dirs=[])
        one.set_override("workers", 63, group="conductor")
        self.assertNotEqual(63, other.conductor.workers)

    def test_registering_twice_changes_nothing(self) -> None:
        conf = cfg.ConfigOpts()
        opts.register(conf, "conductor")
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override("workers", 63, group="conductor")
        opts.register(conf, "conductor")
        self.assertEqual(63, conf.conductor.workers)
