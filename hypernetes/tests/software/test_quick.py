# SPDX-License-Identifier: Apache-2.0
"""The quick part of the tier, which continuous integration runs: some servers, and the limits met first."""

from hypernetes.tests.isolation import base as living
from hypernetes.tests.software import base
from hypernetes.tests.software import image
from hypernetes.tests.software import programs

UNLIMITED = "unlimited"
"""The pod that states no resources."""
USER = "user"
"""The pod that runs as uid 1000, with limits, and starts two programs each second."""
BUSY_ROUNDS = 60
# Each round starts two programs: QEMU translates the code of each process again, which once filled the host's memory.
BUSY = "n=0; while :; do n=$((n + 1)); date >/tmp/date; echo $n >/tmp/rounds; sleep 1; done"
LISTEN = "import socket; socket.create_server(('0.0.0.0', 80)); print('listening')"
ALLOCATE = "block = b'x' * (300 << 20); print(len(block) >> 20, 'MiB')"


@base.table(
    [
        (programs.REDIS, UNLIMITED, "emptyDir"),
        (programs.SQLITE, UNLIMITED, "emptyDir"),
        (programs.NGINX, UNLIMITED, "image"),
        (programs.PYTHON_QUICK, UNLIMITED, "image"),
    ]
)
class QuickTest(base.SoftwareTest):
    recipe = image.QUICK

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.create(base.manifest(UNLIMITED, cls.reference))
        cls.create(
            base.manifest(
                USER,
                cls.reference,
                command=["sh", "-c", BUSY],
                resources={"limits": {"cpu": "1", "memory": "128Mi"}, "requests": base.SMALL_REQUESTS},
                # Without more privileges than the user has, ping's own are of no use: only the kernel's setting is.
                security={"runAsUser": 1000, "runAsGroup": 1000, "allowPrivilegeEscalation": False},
            )
        )
        cls.pods.wait_running(UNLIMITED, USER, timeout=living.POD_START_SECONDS + base.PULL_SECONDS)

    def output(self, pod: str, *words: str, stdin: str | None = None) -> str:
        """Run a command in a pod, which must succeed, and return its output."""
        arguments = ["exec", *(["-i"] if stdin is not None else []), pod, "--", *words]
        done = self.pods.kubectl(*arguments, stdin=stdin, timeout=120)
        self.assertEqual(0, done.status, done.text)
        return done.output

    # By its name it runs last, so that the container has been busy during all the others.
    def test_the_busy_container_is_never_killed(self) -> None:
        living.eventually(
            lambda: int(self.output(USER, "cat", "/tmp/rounds") or 0) >= BUSY_ROUNDS,
            f"{BUSY_ROUNDS} rounds of {BUSY}",
            timeout=300,
            interval=5,
        )
        self.assert_never_restarted(USER)

    def test_a_container_without_resources_uses_300_mib(self) -> None:
        self.assertEqual("300 MiB\n", self.output(UNLIMITED, "python3", "-c", ALLOCATE))
        self.assert_never_restarted(UNLIMITED)

    def test_a_program_may_end_before_its_input(self) -> None:
        self.assertEqual("x", self.output(UNLIMITED, "head", "-c", "1", stdin="x" * 3_000_000))

    def test_a_process_may_open_65536_files(self) -> None:
        for pod in (UNLIMITED, USER):
            self.assertEqual("65536\n", self.output(pod, "sh", "-c", "ulimit -n 65536 && ulimit -n"))

    def test_a_user_listens_on_port_80(self) -> None:
        self.assertEqual("1000\n", self.output(USER, "id", "-u"))
        self.assertEqual("listening\n", self.output(USER, "python3", "-c", LISTEN))

    def test_a_user_pings(self) -> None:
        self.assertIn(" 0% packet loss", self.output(USER, "ping", "-c", "2", "-W", "20", "127.0.0.1"))
