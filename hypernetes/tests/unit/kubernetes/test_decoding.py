# SPDX-License-Identifier: Apache-2.0
"""Threads that decode the same kind for the first time, in a process of their own: what goes wrong ends it."""

import subprocess
import sys
import textwrap

import testtools
from lightkube.core import resource
from lightkube.resources import core_v1 as core
from lightkube.resources import node_v1 as nodes
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes import decoding

PROGRAM = """
    import sys, threading
    from lightkube.core import decoders
    from lightkube.resources.core_v1 import Pod
    from hypernetes.kubernetes import decoding

    sys.setswitchinterval(1e-6)
    together = threading.Barrier(8)
    seen = []

    def decode():
        together.wait()
        decoding.prepare(Pod)
        pod = decoders.decode_object(b'{"spec": {"containers": [{"name": "one"}]}}', Pod)
        _, _, pods = decoders.decode_list(b'{"items": [{"metadata": {"name": "two"}}]}', Pod)
        seen.append((pod.spec.containers[0].name, pods[0].metadata.name))

    threads = [threading.Thread(target=decode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(seen), set(seen))
"""


class DecodingTest(testtools.TestCase):
    def test_threads_may_meet_a_kind_for_the_first_time_together(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual((0, "8 {('one', 'two')}\n"), (done.returncode, done.stdout), done.stderr)

    def test_a_kind_with_required_fields_is_made_ready_like_any_other(self) -> None:
        kinds: tuple[type[resource.Resource], ...] = (rbac.RoleBinding, rbac.ClusterRole, nodes.RuntimeClass, core.Pod)
        for kind in kinds:
            decoding.prepare(kind)
            decoding.prepare(kind)
