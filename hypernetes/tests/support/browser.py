# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/).

Not by Selenium's Python package: it requires trio, whose presence breaks eventlet, which other packages import.
"""

import base64
import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib import error as urllib_error
from urllib import request as urllib_request

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of a reference to an element (section 12.1)."""


class BrowserError(Exception):
    """The driver refused a command."""


class Browser:
    """One session of Chromium with an empty profile."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        profile = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._stack.callback(self._driver.wait, 20)
        self._stack.callback(self._driver.terminate)
        self._url = f"http://127.0.0.1:{port}"
        self.until(self._answers, "chromedriver")
        chrome = {"binary": str(CHROMIUM), "args": [*OPTIONS, f"--user-data-dir={profile}"]}
        # The deployment's own CA is not the browser's.
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": chrome}
        session = self._command("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url += f"/session/{session['sessionId']}"
        self._stack.callback(self._command, "DELETE", "")

    def close(self) -> None:
        """End Chromium and its driver."""
        self._stack.close()

    def go(self, url: str) -> None:
        """Load a page."""
        self._command("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """Address of the page."""
        return str(self._command("GET", "/url"))

    @property
    def text(self) -> str:
        """Text of the page as it is seen."""
        return str(self.script("return document.body.innerText"))

    def click(self, css: str) -> None:
        """Click on the first element that matches, once it is there."""
        self._command("POST", f"/element/{self._find(css)}/click", {})

    def type(self, css: str, text: str) -> None:
        """Type into an input in place of what it holds."""
        element = self._find(css)
        self._command("POST", f"/element/{element}/clear", {})
        self._command("POST", f"/element/{element}/value", {"text": text})

    def has(self, css: str) -> bool:
        """Whether an element matches and is seen."""
        found = self._command("POST", "/elements", {"using": "css selector", "value": css})
        return any(self._command("GET", f"/element/{one[_ELEMENT]}/displayed") for one in found)

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a script and return its result."""
        return self._command("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def wait_for_script(self, text: str, *arguments: Any) -> Any:
        """Run a script that calls its last argument with its result."""
        return self._command("POST", "/execute/async", {"script": text, "args": list(arguments)})

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self._command("GET", "/screenshot")))

    def until(self, condition: Callable[[], Any], what: str, timeout: float = 60) -> Any:
        """Return the condition's first true value.

        :raises AssertionError: when there is none after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(BrowserError):
                if found := condition():
                    return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {timeout:.0f} s")
            time.sleep(0.3)

    def _find(self, css: str) -> str:
        def shown() -> str | None:
            for one in self._command("POST", "/elements", {"using": "css selector", "value": css}):
                if self._command("GET", f"/element/{one[_ELEMENT]}/displayed"):
                    return str(one[_ELEMENT])
            return None

        return str(self.until(shown, f"an element {css}"))

    def _answers(self) -> bool:
        try:
            return bool(self._command("GET", "/status")["ready"])
        except OSError:
            return False

    def _command(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib_request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib_request.urlopen(asked, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib_error.HTTPError as error:
            raise BrowserError(json.load(error)["value"]["message"].partition("\n")[0]) from error
