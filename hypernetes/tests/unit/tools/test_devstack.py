# SPDX-License-Identifier: Apache-2.0
"""The DevStack plugin, phase by phase, with DevStack's functions replaced by ones that record their calls."""

import re
import subprocess
from pathlib import Path

import fixtures
import testtools

from hypernetes.conf import opts
from hypernetes.wsgi import __path__ as wsgi_path

REPOSITORY = Path(__file__).parents[4]
PLUGIN = REPOSITORY / "devstack"
HARNESS = Path(__file__).parent / "devstack_harness.sh"
CONTROL = ("hypernetes-api", "hypernetes-webhook", "hypernetes-conductor", "hypernetes-registry")
NODE = ("hypernetes-supervisor", "hypernetes-agent")
PHASES = (("stack", "pre-install"), ("stack", "install"), ("stack", "post-config"), ("stack", "extra"))
# DevStack's own functions write these, or keystoneauth and oslo.log define them.
_ELSEWHERE = {("DEFAULT", "debug"), ("webhook", "cafile"), ("openstack", "cafile"), ("openstack", "region_name")}
_ELSEWHERE |= {("oslo_concurrency", "lock_path"), ("database", "connection")}

Call = tuple[str, ...]


class PhasesTest(testtools.TestCase):
    """What the plugin asks of DevStack."""

    def setUp(self) -> None:
        super().setUp()
        self.place = Path(self.useFixture(fixtures.TempDir()).path)

    def run_phase(self, *mode: str, services: tuple[str, ...] = (*CONTROL, *NODE)) -> list[Call]:
        calls = self.place / "calls"
        calls.unlink(missing_ok=True)
        words = ["bash", str(HARNESS), str(self.place), ",".join(services), *mode]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return [tuple(line.split("\t")) for line in calls.read_text().splitlines()]

    def test_every_option_that_is_set_exists(self) -> None:
        known = {(group, option.dest) for group, options in opts.list_opts() for option in options}
        written: set[tuple[str, str]] = set()
        for phase in PHASES:
            for name, *words in self.run_phase(*phase):
                if name == "iniset" and not words[0].endswith("uwsgi.ini"):
                    written.add((words[1], words[2]))
        names = {(str(group), str(option)) for group, option in known}
        self.assertEqual(set(), written - names - _ELSEWHERE)
        self.assertGreater(len(written), 20)

    def test_every_service_is_enabled_started_and_stopped(self) -> None:
        started = [call[1] for call in self.run_phase("stack", "extra") if call[0] == "run_process"]
        stopped = [call[1] for call in self.run_phase("unstack") if call[0] == "stop_process"]
        enabled = [name for call in self.run_phase("clean") if call[0] == "enable_service" for name in call[1:]]
        self.assertEqual(sorted((*CONTROL, *NODE)), sorted(started))
        self.assertEqual(sorted(started), sorted(stopped))
        self.assertEqual(sorted(started), sorted(enabled))

    def test_a_further_node_runs_no_part_of_the_control_plane(self) -> None:
        calls = [call for phase in PHASES for call in self.run_phase(*phase, services=NODE)]
        names = {call[0] for call in calls}
        self.assertEqual(set(), names & {"create_service_user", "recreate_database", "make_cert", "write_uwsgi_config"})
        (installed,) = [call for call in calls if call[0] == "setup_develop"]
        self.assertEqual("agent", installed[2])
        self.assertNotIn("cluster", [word for call in calls if call[0] == "openstack" for word in call])

    def test_the_services_speak_tls_only(self) -> None:
        calls = self.run_phase("stack", "post-config")
        sockets = [call for call in calls if call[0] == "iniset" and call[3:4] == ("https-socket",)]
        self.assertEqual(2, len(sockets))
        self.assertEqual(2, len([call for call in calls if call[0] == "inidelete" and call[2:] == ("uwsgi", "http")]))
        (endpoint,) = [call for call in calls if call[0] == "get_or_create_endpoint"]
        self.assertEqual("https://192.0.2.10:9518", endpoint[-1])

    def test_the_modules_of_the_services_exist(self) -> None:
        modules = {call[2] for call in self.run_phase("stack", "post-config") if call[0] == "write_uwsgi_config"}
        for module in modules:
            name = module.partition(":")[0].rpartition(".")[2]
            self.assertTrue((Path(next(iter(wsgi_path))) / f"{name}.py").exists(), module)
        self.assertEqual(2, len(modules))

    def test_the_secret_goes_to_the_agent_alone(self) -> None:
        calls = self.run_phase("stack", "extra")
        secret = self.place / "etc" / "enrollment-secret"
        self.assertEqual("planted-secret\n", secret.read_text())
        self.assertEqual(0o600, secret.stat().st_mode & 0o777)
        self.assertNotIn("planted-secret", str(calls))

    def test_it_ends_with_a_cluster(self) -> None:
        last = [call for call in self.run_phase("stack", "extra") if call[0] == "openstack"][-1]
        self.assertEqual(("kube", "cluster", "create", "demo"), last[last.index("kube") :][:4])
        self.assertIn("--wait", last)

    def test_the_panels_go_into_horizon(self) -> None:
        self.run_phase("stack", "post-config", services=(*CONTROL, "horizon"))
        local = self.place / "horizon/openstack_dashboard/local"
        self.assertEqual(6, len(list((local / "enabled").glob("_*.py"))))
        self.assertEqual(1, len(list((local / "local_settings.d").glob("_*.py"))))
        self.run_phase("clean", services=(*CONTROL, "horizon"))
        self.assertEqual([], list(local.glob("*/_*.py")))


class TextTest(testtools.TestCase):
    """What reviewers of plugins look for."""

    def test_a_variable_of_the_settings_can_be_overridden(self) -> None:
        for line in (PLUGIN / "settings").read_text().splitlines():
            if match := re.match(r"([A-Z_]+)=(.*)", line):
                name, value = match.groups()
                overridable = (f"${{{name}:-", f"${{{name}-", f"$(trueorfalse True {name})")
                self.assertTrue(value.startswith(overridable), line)

    def test_no_service_is_started_by_hand(self) -> None:
        for path in PLUGIN.rglob("*"):
            if path.is_file():
                self.assertNotIn("systemctl", path.read_text(), str(path))
