# SPDX-License-Identifier: Apache-2.0
"""The request ID of an API call reaches the log lines of the work it causes, and a hostile one reaches none."""

import logging
import queue

import fixtures
import oslo_messaging
import testtools
from oslo_config import cfg
from oslo_context import context
from oslo_context import fixture as context_fixture
from oslo_log import formatters
from oslo_log import log

from hypernetes.conf import opts
from hypernetes.model import bus
from hypernetes.model import kinds
from hypernetes.rpc import client
from hypernetes.rpc import codec
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import request_context
from hypernetes.rpc import server
from hypernetes.rpc import transport

REQUEST_ID = "req-11111111-2222-4333-8444-555555555555"
WAKE = messages.Wake(kind=kinds.Kind.NODE, id="n")


class _Conductor:
    """Remembers for which request each message came."""

    def __init__(self) -> None:
        self.requests: queue.Queue[str | None] = queue.Queue()

    def wake(self, message: messages.Wake) -> None:
        self.requests.put(request_context.current_id())

    def __getattr__(self, name: str) -> object:
        return self.wake


class RequestContextTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(context_fixture.ClearRequestContext())
        self.conf = cfg.ConfigOpts()
        log.register_options(self.conf)
        self.conf(args=[], default_config_files=[], default_config_dirs=[])
        opts.register(self.conf, "messaging")
        transport.register_options(self.conf)
        self.conf.set_override("transport_url", "fake:///")
        self.conductor = _Conductor()
        for listening in server.conductor_servers(self.conf, self.conductor, self.conductor):  # type: ignore[arg-type]
            listening.start()
            self.addCleanup(listening.wait)
            self.addCleanup(listening.stop)
        self.api = client.ConductorApi(self.conf)
        self.addCleanup(self.api.close)

    def test_a_message_carries_the_request_that_it_is_sent_for(self) -> None:
        request_context.begin(REQUEST_ID)
        self.api.wake(WAKE)
        self.assertEqual(REQUEST_ID, self.conductor.requests.get(timeout=10))

    def test_a_message_that_is_sent_for_no_request_gets_an_id_of_its_own(self) -> None:
        self.api.wake(WAKE)
        self.api.wake(WAKE)
        received = {self.conductor.requests.get(timeout=10) for _ in range(2)}
        self.assertEqual(2, len(received - {None}))
        self.assertIsNone(request_context.current_id())

    def test_nothing_but_an_id_of_the_usual_form_is_taken_from_a_sender(self) -> None:
        target = oslo_messaging.Target(topic=bus.CONDUCTOR_TOPIC, version=methods.VERSION)
        hostile = oslo_messaging.get_rpc_client(transport.service_transport(self.conf), target)
        for request_id in (f"{REQUEST_ID}\nCRITICAL a forged line", "req-%(password)s", "", 7, None, [REQUEST_ID]):
            hostile.cast({"request_id": request_id}, "wake", message=codec.encode(WAKE))
            received = self.conductor.requests.get(timeout=10)
            self.assertRegex(received or "", r"^req-[0-9a-f-]{36}$")
            self.assertNotEqual(REQUEST_ID, received)

    def test_the_log_lines_of_the_work_show_the_request(self) -> None:
        output = self.useFixture(fixtures.StringStream("log")).stream
        handler = logging.StreamHandler(output)
        handler.setFormatter(formatters.ContextFormatter(config=self.conf))
        logger = logging.getLogger("hypernetes.request_context_test")
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        request_context.begin(REQUEST_ID)
        logger.info("The network of namespace web is there")
        output.seek(0)
        self.assertIn(REQUEST_ID, output.read())

    def test_the_next_piece_of_work_of_a_thread_shows_another_request(self) -> None:
        request_context.begin(REQUEST_ID)
        self.assertNotEqual(REQUEST_ID, request_context.begin())
        current = context.get_current()
        self.assertEqual(request_context.current_id(), current.request_id if current else None)
