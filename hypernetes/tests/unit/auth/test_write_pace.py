# SPDX-License-Identifier: Apache-2.0
"""How long a large write takes, and what is answered."""

import json
import threading
from typing import Any

import testtools

from hypernetes.auth import write_pace
from hypernetes.kubernetes.objects import write_pace as write_pace_objects


def _review(size: int = 0, **changes: Any) -> bytes:
    document = {
        "kind": write_pace.KIND,
        "apiVersion": write_pace.API_VERSION,
        "request": {"uid": "u-1", "object": {"data": {"v": "x" * size}}},
    }
    return json.dumps(document | changes).encode()


class WritePaceTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.slept: list[float] = []

    def _pace(self, rate: int = 1 << 20, waiting: int = 2) -> write_pace.WritePace:
        return write_pace.WritePace(write_pace.Settings(rate, waiting), self.slept.append)

    def test_a_small_write_does_not_wait(self) -> None:
        answer = self._pace().review(_review(1000))
        self.assertEqual({"uid": "u-1", "allowed": True}, answer["response"])
        self.assertEqual(("admission.k8s.io/v1", "AdmissionReview"), (answer["apiVersion"], answer["kind"]))
        self.assertEqual([], self.slept)

    def test_a_large_write_waits_as_long_as_its_size_takes(self) -> None:
        body = _review(900 << 10)
        self.assertTrue(self._pace(rate=512 << 10).review(body)["response"]["allowed"])
        self.assertEqual([(len(body) - write_pace.FREE_BYTES) / (512 << 10)], self.slept)

    def test_no_write_waits_longer_than_the_apiserver(self) -> None:
        self.assertEqual(write_pace.LONGEST_SECONDS, self._pace(rate=1).seconds(write_pace.MAX_BODY))
        self.assertLess(write_pace.LONGEST_SECONDS, write_pace_objects.TIMEOUT_SECONDS)

    def test_an_update_of_the_largest_object_fits(self) -> None:
        # etcd's limit of a request; six bytes of JSON for each of the old object and of the new one.
        self.assertGreater(write_pace.MAX_BODY, 2 * 6 * (3 << 19))

    def test_more_than_may_wait_are_asked_to_come_again(self) -> None:
        inside, leave = threading.Semaphore(0), threading.Event()

        def sleep(_: float) -> None:
            inside.release()
            leave.wait(10)

        pace = write_pace.WritePace(write_pace.Settings(1 << 20, 2), sleep)
        waiting = [threading.Thread(target=pace.review, args=(_review(1 << 20),)) for _ in range(2)]
        for thread in waiting:
            thread.start()
            self.assertTrue(inside.acquire(timeout=10))
        refused = pace.review(_review(1 << 20))["response"]
        small = pace.review(_review())["response"]
        leave.set()
        for thread in waiting:
            thread.join(10)
        self.assertEqual((False, 429, 1), (refused["allowed"], *_code_and_delay(refused)))
        self.assertTrue(small["allowed"])
        self.assertTrue(pace.review(_review(1 << 20))["response"]["allowed"])

    def test_what_is_not_a_review_is_refused(self) -> None:
        for body in (
            b"",
            b"[" * 100_000,
            b"[]",
            b"\xff",
            _review(kind="TokenReview"),
            _review(request=None),
            _review(request={"uid": 1}),
            _review(request={"uid": ""}),
        ):
            self.assertRaises(write_pace.MalformedReview, self._pace().review, body)


def _code_and_delay(response: dict[str, Any]) -> tuple[int, int]:
    return response["status"]["code"], response["status"]["details"]["retryAfterSeconds"]
