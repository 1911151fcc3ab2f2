# SPDX-License-Identifier: Apache-2.0
"""Configuration files are rendered as their readers want them."""

import base64
import json
import tempfile
import unittest
from pathlib import Path

from hypernetes.standalone import cgroups
from hypernetes.standalone import ini
from hypernetes.standalone import mounts
from hypernetes.standalone import nodes
from hypernetes.standalone import passwords
from hypernetes.standalone import supervision
from hypernetes.standalone import wsgi
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.components import registry
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class IniTest(unittest.TestCase):
    def test_values_are_written_as_oslo_config_reads_them(self) -> None:
        text = ini.render({"DEFAULT": {"flag": True, "number": 3, "list": ["a", "b"], "money": "5$"}})
        self.assertEqual("[DEFAULT]\nflag = true\nnumber = 3\nlist = a,b\nmoney = 5$$\n", text)


class ProgramTest(unittest.TestCase):
    def test_a_percent_sign_reaches_the_program(self) -> None:
        text = supervision.render_program(supervision.Program("x", ["/bin/echo", "%h"]), Path("/log/x.log"))
        self.assertIn("command=/bin/echo %%h\n", text)

    def test_a_changed_configuration_file_changes_the_definition(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "x.conf"
            program = supervision.Program("x", ["/bin/true"], files=[path])
            path.write_text("one")
            before = supervision.render_program(program, Path("/log"))
            path.write_text("two")
            self.assertNotEqual(before, supervision.render_program(program, Path("/log")))

    def test_the_services_code_is_among_their_files_and_the_tests_are_not(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory) / "hypernetes"
            for name in ("api/app.py", "tests/unit/test_app.py", "standalone/main.py", "osc/plugin.py", "__init__.py"):
                (package / name).parent.mkdir(parents=True, exist_ok=True)
                (package / name).touch()
            sources = Layout(state=package, cache=package, repository=Path(directory)).sources()
            self.assertEqual(["__init__.py", "api/app.py"], [str(path.relative_to(package)) for path in sources])

    def test_words_with_spaces_stay_one_word(self) -> None:
        text = supervision.render_program(supervision.Program("x", ["/bin/echo", "a b"]), Path("/log"))
        self.assertIn("command=/bin/echo 'a b'\n", text)


class WsgiTest(unittest.TestCase):
    def test_the_standard_input_stays_open(self) -> None:
        """supervisord holds its other end and may poll that without a pause once it is closed."""
        self.assertIn("honour-stdin = true\n", wsgi.render(wsgi.Service("x", "m:a", 9), Path("/venv")))

    def test_a_service_with_a_certificate_speaks_tls_only(self) -> None:
        service = wsgi.Service("x", "m:a", 9, certificate=(Path("/c"), Path("/k")))
        text = wsgi.render(service, Path("/venv"))
        self.assertIn("https-socket = 198.51.100.1:9,/c,/k,HIGH\n", text)
        self.assertNotIn("http-socket", text)

    def test_a_service_behind_the_proxy_has_no_port(self) -> None:
        text = wsgi.render(wsgi.Service("x", "m:a", socket=Path("/run/x.sock"), longest_request=15), Path("/venv"))
        self.assertIn("http-socket = /run/x.sock\n", text)
        self.assertIn("chmod-socket = 660\n", text)
        self.assertIn("harakiri = 15\n", text)
        self.assertNotIn("198.51.100.1", text)


class RegistryTest(unittest.TestCase):
    def test_nodes_cannot_push(self) -> None:
        rendered = json.loads(registry.render(Path("/store"), Path("/c"), Path("/k")))
        self.assertTrue(rendered["storage"]["maintenance"]["readonly"]["enabled"])


class RabbitmqTest(unittest.TestCase):
    def test_there_is_no_listener_without_tls(self) -> None:
        lines = rabbitmq.render("/c", "/k", "/ca", "/d").splitlines()
        self.assertIn("listeners.tcp = none", lines)

    def test_the_password_hash_is_the_manuals_example(self) -> None:
        # "Computing Password Hashes" in RabbitMQ's manual: salt 908DC60A, password test12.
        hashed = passwords.rabbitmq_hash("test12", bytes.fromhex("908DC60A"))
        self.assertEqual("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", hashed)

    def test_each_account_has_a_salt_of_its_own_that_stays(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))
            text = rabbitmq.definitions(installation)
            self.assertEqual(text, rabbitmq.definitions(installation))
        users = json.loads(text)["users"]
        salts = {base64.b64decode(user["password_hash"])[:4] for user in users}
        self.assertEqual(len(users), len(salts))


class NodeMountsTest(unittest.TestCase):
    def test_what_is_hidden_comes_after_what_is_bound_from_it(self) -> None:
        lines = nodes.fstab(Path("/state/nodes/n"), Path("/dist"), [Path("/state")]).splitlines()
        self.assertEqual("tmpfs /state tmpfs ro,size=4k,mode=0555 0 0", lines[-1])

    def test_the_distribution_cannot_be_written_from_a_node(self) -> None:
        text = nodes.fstab(Path("/s"), Path("/dist"), [])
        self.assertIn("/dist /usr/lib/hypernetes none bind,ro 0 0\n", text)


class MountsTest(unittest.TestCase):
    INFO = (
        "21 1 0:19 / / rw - ext4 d rw\n"
        "22 21 0:20 / /state rw - tmpfs t rw\n"
        "23 22 0:21 / /state/a\\040b rw - tmpfs t rw\n"
        "24 21 0:22 / /stately rw - tmpfs t rw\n"
    )

    def test_only_what_lies_below_is_found_last_mounted_first(self) -> None:
        self.assertEqual([Path("/state/a b"), Path("/state")], mounts.parse_below(self.INFO, Path("/state")))


class CgroupsTest(unittest.TestCase):
    def test_hierarchies_are_told_apart_and_named_once(self) -> None:
        text = (
            "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
            "none /proc proc rw 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        )
        found = cgroups.parse_mounts(text)
        self.assertEqual([False, True], [one.unified for one in found])

    def test_only_needed_controllers_that_are_switched_on_are_mounted(self) -> None:
        table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t3\t1\nmemory\t2\t3\t0\nhugetlb\t3\t3\t1\n"
        self.assertEqual(["cpu"], cgroups.enabled_controllers(table))
