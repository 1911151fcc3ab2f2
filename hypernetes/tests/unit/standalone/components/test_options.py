# SPDX-License-Identifier: Apache-2.0
"""Every option that the standalone environment sets for a service of Hypernetes exists."""

import tempfile
import unittest
from pathlib import Path

from keystoneauth1 import loading
from keystonemiddleware.auth_token import list_opts as middleware_options
from oslo_config import cfg
from oslo_db import options as db_options
from oslo_messaging import opts as messaging_options
from oslo_middleware import opts as wsgi_options

from hypernetes.conf import opts
from hypernetes.standalone import ini
from hypernetes.standalone.components import agent
from hypernetes.standalone.components import hypernetes_api
from hypernetes.standalone.components import hypernetes_conductor
from hypernetes.standalone.components import hypernetes_webhook
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout
from hypernetes.standalone.nodes import Node


def known_options() -> dict[str, set[str]]:
    """Return the names of the options that Hypernetes and its libraries read, by group."""
    known: dict[str, set[str]] = {}
    listed = [
        *opts.list_opts(),
        *middleware_options(),
        *db_options.list_opts(),
        *messaging_options.list_opts(),
        *wsgi_options.list_opts(),
    ]
    for group, options in listed:
        known.setdefault(str(group or "DEFAULT"), set()).update(option.dest for option in options)
    plugin = {option.dest for option in loading.get_auth_plugin_conf_options("password")}
    session = {option.dest for option in loading.get_session_conf_options()}
    adapter = {option.dest for option in loading.get_adapter_conf_options()}
    for group in ("keystone_authtoken", "webhook", "openstack"):
        known.setdefault(group, set()).update(plugin | session | adapter | {"auth_type", "auth_section"})
    known["oslo_concurrency"] = {"lock_path"}
    return known


class OptionsTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))

    def test_every_option_that_is_set_exists(self) -> None:
        configurations: dict[str, ini.Sections] = {
            "api": hypernetes_api.configuration(self.installation),
            "conductor": hypernetes_conductor.configuration(self.installation),
            "webhook": hypernetes_webhook.configuration(self.installation),
            "agent": agent.configuration(Node("node1"), "id"),
        }
        known = known_options()
        unknown = [
            f"{service}: [{group}] {option}"
            for service, sections in configurations.items()
            for group, options in sections.items()
            for option in options
            if option not in known.get(group, set())
        ]
        self.assertEqual([], unknown)

    def test_every_value_is_accepted(self) -> None:
        path = Path(self.installation.layout.state) / "test.conf"
        path.parent.mkdir(parents=True)
        own = {str(group): options for group, options in opts.list_opts()}
        for sections in (
            hypernetes_api.configuration(self.installation),
            hypernetes_conductor.configuration(self.installation),
            agent.configuration(Node("node1"), "id"),
        ):
            path.write_text(ini.render(sections))
            conf = cfg.ConfigOpts()
            opts.register(conf, *(group for group in sections if group in own))
            conf([], default_config_files=[str(path)])
            # Hypernetes registers these by loading the plugin.
            conf.register_opts(loading.get_auth_plugin_conf_options("password"), group="openstack")
            for group, options in sections.items():
                for option in options:
                    if option in {known.dest for known in own.get(group, [])}:
                        conf[group][option]
