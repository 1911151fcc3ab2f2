# SPDX-License-Identifier: Apache-2.0
"""Messages on the wire: strict about what is there, indifferent to what is not known."""

import json

import testtools

from hypernetes.model import kinds
from hypernetes.rpc import codec
from hypernetes.rpc import messages

CALLER = {"node_id": "n", "token": "t"}
BEAT = {"caller": CALLER, "address": "a", "agent_version": "1", "boot_id": "b"}


class CodecTest(testtools.TestCase):
    def test_every_kind_of_message_survives_the_wire(self) -> None:
        order = messages.PhaseOrder("o", "c", "certs", {"a.yaml": "text"})
        binding = messages.PortBinding(
            "p", "n", "m", 1442, ("10.0.0.5/24",), (messages.Route("0.0.0.0/0", "10.0.0.1"),), ("192.0.2.53",)
        )
        for message in (
            messages.HeartbeatAnswer(order),
            messages.HeartbeatAnswer(),
            binding,
            messages.PortList((messages.PortEntry("s", "p"),)),
            messages.PhaseResult(messages.Caller("n", "t"), "o", False, "why", {"k": "v"}),
            messages.Done(),
            messages.Wake(kinds.Kind.NODE, "n"),
        ):
            wire = json.loads(json.dumps(codec.encode(message)))
            self.assertEqual(message, codec.decode(type(message), wire))

    def test_a_word_that_is_not_in_the_enumeration_is_refused(self) -> None:
        self.assertIs(kinds.Kind.NODE, codec.decode(messages.Wake, {"kind": "node", "id": "n"}).kind)
        for kind in ("car", 7, None):
            self.assertRaises(codec.MalformedMessage, codec.decode, messages.Wake, {"kind": kind, "id": "n"})

    def test_a_newer_senders_field_is_ignored(self) -> None:
        decoded = codec.decode(messages.Heartbeat, BEAT | {"mood": "fine"})
        self.assertEqual("a", decoded.address)

    def test_wrong_shapes_are_refused(self) -> None:
        wrong: tuple[object, ...] = (
            None,
            [],
            "text",
            {},
            BEAT | {"address": 1},
            BEAT | {"caller": "me"},
            BEAT | {"services": ["kubelet"]},
            BEAT | {"services": {"kubelet": 1}},
            BEAT | {"boot_id": "\ud800"},
            BEAT | {"services": {"\udfff": "RUNNING"}},
            BEAT | {"caller": CALLER | {"token": "\ud800"}},
        )
        for data in wrong:
            self.assertRaises(codec.MalformedMessage, codec.decode, messages.Heartbeat, data)
        ok = {"caller": CALLER, "order_id": "o", "ok": 1}
        self.assertRaises(codec.MalformedMessage, codec.decode, messages.PhaseResult, ok)
