# SPDX-License-Identifier: Apache-2.0
"""Freezes every message and method: a change of one that is not an addition breaks a mixed-version cloud.

After an *addition* (a field with a default, a new method), write the history in :mod:`hypernetes.rpc.methods` and the
new fingerprint here.
"""

import dataclasses
import hashlib
import inspect

import testtools

from hypernetes.rpc import messages
from hypernetes.rpc import methods

FINGERPRINTS = {
    "AllocatePort": "51297e77113766c6",
    "Caller": "28ee81aa4e4b34dd",
    "CheckCluster": "2fca52e56101e78a",
    "CheckResult": "7979ec57e4b6ca07",
    "CheckResults": "c4ab831028d5564a",
    "Done": "4f53cda18c2baa0c",
    "EnrollNode": "0f1c9e35608fdf4d",
    "Enrolled": "ba82d914fc619929",
    "Heartbeat": "1aa2e4b94bd89d25",
    "HeartbeatAnswer": "dca2502fb91b5907",
    "ListPorts": "9c5c516515bdf62c",
    "OutOfMemory": "cf2498cf8fdf534e",
    "PhaseOrder": "6b52cf7e6828e0be",
    "PhaseResult": "3e15a786afce3e9c",
    "PortBinding": "0514fc1f0a978d40",
    "PortEntry": "8b8677700ca95ee7",
    "PortList": "1eb9d6d759c6a33b",
    "ReleasePort": "04baa6d11abf7111",
    "Route": "73ca30fe5d1ab6fd",
    "Sandbox": "cec3594696b10ed4",
    "Wake": "91e44111ad992a4d",
}


def fingerprint(kind: type) -> str:
    """Names, types and whether there is a default, of every field in order."""
    fields = [
        (
            field.name,
            str(field.type),
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    ]
    return hashlib.sha256(repr(fields).encode()).hexdigest()[:16]


def _answer_name(method: methods.Method) -> str:
    return method.answer.__name__ if isinstance(method, methods.Call) else "None"


class MessagesTest(testtools.TestCase):
    def test_no_message_has_changed_unnoticed(self) -> None:
        kinds = {
            name: fingerprint(kind)
            for name, kind in inspect.getmembers(messages, inspect.isclass)
            if kind.__module__ == messages.__name__
        }
        self.assertEqual(FINGERPRINTS, kinds)

    def test_no_method_has_changed_unnoticed(self) -> None:
        signatures = [
            f"{method.name}({method.request.__name__}) -> {_answer_name(method)}"
            for table in (methods.FROM_API, methods.FROM_AGENTS, methods.TO_AGENT)
            for method in table
        ]
        self.assertEqual(
            [
                "enroll_node(EnrollNode) -> Enrolled",
                "wake(Wake) -> None",
                "check_cluster(CheckCluster) -> CheckResults",
                "heartbeat(Heartbeat) -> HeartbeatAnswer",
                "phase_result(PhaseResult) -> Done",
                "allocate_port(AllocatePort) -> PortBinding",
                "release_port(ReleasePort) -> Done",
                "list_ports(ListPorts) -> PortList",
                "run_phase(PhaseOrder) -> None",
            ],
            signatures,
        )

    def test_secrets_do_not_show_when_a_message_is_logged(self) -> None:
        for message in (
            messages.Caller("node", "hidden-value"),
            messages.EnrollNode("node", "hidden-value"),
            messages.Enrolled("hidden-value", "e", "t"),
        ):
            self.assertNotIn("hidden-value", repr(message))
