# SPDX-License-Identifier: Apache-2.0
"""The panels in a real Horizon, in a browser, where ``tools/quickstart up --with horizon`` has started it.

The pictures of the user documentation are made by::

    HYPERNETES_SCREENSHOTS=doc/source/user/images tools/test isolation dashboard
"""

import functools
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import uuid
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import probes
from hypernetes.tests.isolation import base
from hypernetes.tests.support import browser

AXE = "axe-core@4.14.1"
HORIZON = addresses.HORIZON_URL
SERIOUS = ("serious", "critical")
_SUBMIT = "#modal_wrapper input[type=submit]"


def available() -> bool:
    """Whether Horizon and a browser are there."""
    if not (browser.CHROMIUM.exists() and browser.DRIVER.exists()):
        return False
    return probes.answers(f"{HORIZON}/auth/login/", ca_file=base.LAYOUT.ca_certificate)


@functools.cache
def axe() -> str:
    """Return the accessibility checker's script, from the npm registry."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["npm", "pack", "--silent", AXE], cwd=directory, check=True, timeout=120, capture_output=True)
        (archive,) = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member is not None
            return member.read().decode()


@unittest.skipUnless(available(), "needs chromium, chromium-driver and tools/quickstart up --with horizon")
class DashboardTest(unittest.TestCase):
    """What the users of the deployment see and do in a browser."""

    def log_in(self, who: str) -> None:
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)
        password = base.settings(who)["OS_PASSWORD"]
        self.browser.go(f"{HORIZON}/auth/login/")
        self.browser.type("#id_username", who)
        self.browser.type("#id_password", password)
        self.browser.click("#loginBtn")
        self.browser.until(lambda: "/auth/login" not in self.browser.url, f"login of {who}")

    def go(self, page: str, text: str) -> None:
        """Load a panel and wait for a text in it."""
        self.browser.go(f"{HORIZON}/{page}")
        self.browser.until(lambda: text in self.browser.text, f"{text} in {page}")

    def look(self, name: str) -> None:
        """Keep a picture if they are wanted, and refuse what a user with a disability cannot use."""
        if directory := os.environ.get("HYPERNETES_SCREENSHOTS"):
            self.browser.screenshot(Path(directory) / f"dashboard-{name}.png")
        if shutil.which("npm"):
            self.check(name)

    def check(self, name: str) -> None:
        """Run the accessibility checker on what is inside of Horizon's frame; colors are the theme's."""
        self.browser.script(axe())
        dialog = "#modal_wrapper .modal-content"
        area = {"include": [dialog if self.browser.has(dialog) else "#content_body"], "exclude": [".modal-header"]}
        options = {"rules": {"color-contrast": {"enabled": False}}}
        found = self.browser.wait_for_script(
            "const done = arguments[2]; axe.run(arguments[0], arguments[1]).then(done, e => done({error: String(e)}))",
            area,
            options,
        )
        self.assertNotIn("error", found)
        serious = [
            f"{one['id']}: {one['help']}: {[node['html'][:150] for node in one['nodes'][:3]]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]
        self.assertEqual([], serious, name)

    def test_a_tenant_creates_a_namespace_and_deletes_it(self) -> None:
        name = f"ui-{uuid.uuid4().hex[:6]}"
        self.log_in("red")
        self.go("project/kubernetes_namespaces/", "Namespaces")
        self.browser.click("#namespaces__action_create")
        self.browser.type("#modal_wrapper #id_name", name)
        self.look("create-namespace")
        self.browser.click(_SUBMIT)
        row = f"tr[data-display='{name}']"
        self.browser.until(lambda: self.browser.has(row), f"the row of {name}")
        self.addCleanup(self.remove, name)
        # The row follows by itself: the page is not loaded again.
        self.browser.until(lambda: "Active" in self.text_of(row), f"{name} Active", timeout=120)
        self.look("namespaces")
        self.browser.click(f"{row} td a")
        self.browser.until(lambda: "Security Group" in self.browser.text, f"the page of {name}")
        self.look("namespace")
        self.browser.go(f"{HORIZON}/project/kubernetes_namespaces/")
        self.browser.click(f"{row} input[type=checkbox] + label")
        self.browser.click("#namespaces__action_delete")
        self.browser.click("#modal_wrapper .modal-footer .btn-danger")
        self.browser.until(lambda: not self.browser.has(row), f"the end of {name}", timeout=240)

    def test_pods_and_their_events_are_shown(self) -> None:
        self.log_in("red")
        self.go("project/kubernetes_namespaces/", "red")
        self.browser.click("tr[data-display='red'] td a")
        self.browser.click("a[href='#namespace_tabs__pods'], a[data-target='#namespace_tabs__pods']")
        self.browser.until(lambda: "hyper" in self.browser.text, "the pods of red")
        self.look("pods")

    def test_a_tenant_sees_nothing_of_another(self) -> None:
        (blue,) = base.rest("blue", "GET", "/v1/namespaces?name=blue").json()["namespaces"]
        self.log_in("red")
        self.go("project/kubernetes_namespaces/", "red")
        self.assertFalse(self.browser.has("tr[data-display='blue']"))
        self.browser.go(f"{HORIZON}/project/kubernetes_namespaces/{blue['id']}/")
        self.browser.until(lambda: "was found in this project" in self.browser.text, "the refusal")
        for page in ("admin/kubernetes_nodes/", "admin/kubernetes_clusters/"):
            self.browser.go(f"{HORIZON}/{page}")
            self.assertNotIn("node1", self.browser.text)

    def test_a_cluster_has_a_page_with_its_commands(self) -> None:
        self.log_in("red")
        self.go("project/kubernetes_clusters/", base.CLUSTER)
        self.look("clusters")
        self.browser.click(f"tr[data-display='{base.CLUSTER}'] td a")
        self.browser.until(lambda: "openstack kube config" in self.browser.text, "the commands")
        self.look("cluster")

    def test_the_operator_sees_nodes_and_clusters(self) -> None:
        self.log_in("admin")
        self.go("admin/kubernetes_nodes/", base.NODE)
        self.assertIn("Up", self.text_of(f"tr[data-display='{base.NODE}']"))
        self.look("nodes")
        self.go("admin/kubernetes_clusters/", base.CLUSTER)
        self.look("admin-clusters")
        self.browser.click(f"tr[data-display='{base.CLUSTER}'] td a")
        self.browser.until(lambda: "1 of 1 up" in self.browser.text, "the health")
        self.look("admin-cluster")

    def text_of(self, css: str) -> str:
        found = self.browser.script("const e = document.querySelector(arguments[0]); return e && e.innerText", css)
        return str(found or "")

    def remove(self, name: str) -> None:
        """Delete what a failed test left."""
        for one in base.rest("red", "GET", f"/v1/namespaces?name={name}").json()["namespaces"]:
            base.rest("red", "DELETE", f"/v1/namespaces/{one['id']}")
