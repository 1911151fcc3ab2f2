# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.local.errors: what the CNI executable, and so an event of the pod, says."""

import json
from unittest import mock

import testtools

from hypernetes.agent.local import errors as cni_errors
from hypernetes.agent.local import server
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import sandbox_ports
from hypernetes.cni import answer
from hypernetes.cni import errors as plugin_errors
from hypernetes.model import errors


def _codes(module: object) -> dict[str, int]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


def _event(error: errors.HypernetesError | drivers.PlugFailed) -> str:
    """Return the text that containerd makes of the plugin's answer (libcni: "msg; details")."""
    ports = mock.Mock(spec=sandbox_ports.SandboxPorts, delete=mock.Mock(side_effect=error))
    refusal = server.Handler(ports).handle(json.dumps({"command": "DEL", "container_id": "a"}).encode())["error"]
    failure = plugin_errors.CniError(refusal["code"], refusal["message"], refusal["details"])
    printed = answer.failed("1.1.0", failure)
    return "; ".join(str(printed[name]) for name in ("msg", "details") if name in printed)


class ErrorsTest(testtools.TestCase):
    def test_an_event_says_each_sentence_once(self) -> None:
        for error in (
            errors.Refused(service="Neutron", reason="no such network"),
            errors.Unavailable(service="Neutron", reason="503"),
            errors.QuotaExceeded(reason="10 ports"),
        ):
            text = _event(error)
            self.assertEqual(1, text.count(error.message), text)
            self.assertEqual(1, text.count(error.advice), text)

    def test_a_refusal_of_the_switch_has_no_details(self) -> None:
        self.assertEqual("OVN is late", _event(drivers.PlugFailed("OVN is late")))

    def test_the_executable_knows_every_code_of_the_agent(self) -> None:
        agent, plugin = _codes(cni_errors), _codes(plugin_errors)
        self.assertEqual(agent, {name: plugin.get(name) for name in agent})
