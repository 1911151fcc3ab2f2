# SPDX-License-Identifier: Apache-2.0
"""Each WSGI server of Hypernetes loads an object that its module holds, as uWSGI looks for it."""

import configparser
import inspect
import re
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from hypernetes.standalone.components import hypernetes_api
from hypernetes.standalone.components import hypernetes_webhook

SAMPLES = Path(__file__).parents[4] / "etc/hypernetes"
ACCOUNT = """
auth_type = v3password
auth_url = http://127.0.0.1:1
username = validator
password = planted-password
project_name = service
user_domain_id = default
project_domain_id = default
"""
CONFIGURATION = f"""
[DEFAULT]
transport_url = rabbit://hypernetes:planted-password@127.0.0.1:1/
[database]
connection = sqlite://
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:1
{ACCOUNT}
[webhook]
{ACCOUNT}
"""
# uWSGI reads the module's dictionary and asks no module-level __getattr__.
LOAD = "import importlib, sys; print(callable(vars(importlib.import_module(sys.argv[1]))[sys.argv[2]]))"


def of_samples() -> set[str]:
    """Return what the sample configurations load."""
    found = set()
    for path in SAMPLES.glob("*.uwsgi.ini"):
        sample = configparser.ConfigParser(strict=False)
        sample.read(path)
        found.add(sample["uwsgi"]["module"])
    return found


class EntryPointTest(testtools.TestCase):
    def test_the_samples_and_the_quickstart_load_the_same(self) -> None:
        sources = "".join(map(inspect.getsource, (hypernetes_api, hypernetes_webhook)))
        quickstart = set(re.findall(r'module="([^"]+)"', sources))
        self.assertEqual({"hypernetes.wsgi.api:application", "hypernetes.wsgi.webhook:application"}, quickstart)
        self.assertEqual(quickstart, of_samples())

    def test_each_is_made_as_its_module_is_imported_without_any_service(self) -> None:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "hypernetes.conf"
        path.write_text(CONFIGURATION)
        for entry in sorted(of_samples()):
            done = subprocess.run(
                [sys.executable, "-c", LOAD, *entry.split(":")],
                env={"OS_HYPERNETES_CONFIG_FILES": str(path)},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.assertEqual("True", done.stdout.strip(), done.stderr)
            self.assertNotIn("ventlet", done.stderr)
