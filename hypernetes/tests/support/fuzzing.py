# SPDX-License-Identifier: Apache-2.0
"""Sends an API requests that schemathesis makes from its schemas, good ones and bad ones, and counts the answers."""

import collections
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hypernetes.tests.support import openapi

_CHECKS = ("not_a_server_error", "content_type_conformance", "response_schema_conformance")
_PHASES = ("examples", "coverage", "fuzzing")
_PHASE = "[phases.{0}.extra-data-sources]\nresponses = {1}\n"
LONGEST_SECONDS = 5.0
"""No request may take longer."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the API answered."""

    statuses: Mapping[int, int]
    """Numbers of answers by their status; 0 stands for no answer."""
    slowest_seconds: float
    slowest: str
    failures: str
    """Schemathesis' explanations; empty if all checks passed."""

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return sum(self.statuses.values())


def fuzz(
    url: str,
    token: str,
    *,
    examples: int,
    seconds: int | None = None,
    seed: int = 1,
    ca_file: str | None = None,
    spares_existing: bool = False,
) -> Summary:
    """Send requests until each operation has had ``examples``; with a time, go on until it is over.

    :param url: the API's root.
    :param token: what is sent as ``X-Auth-Token``.
    :param examples: requests that are made up for each operation, besides those of its schema's limits.
    :param ca_file: CA bundle (PEM) for verifying the API.
    :param spares_existing: learn no ID from answers; otherwise whatever the token may delete is deleted.
    """
    with tempfile.TemporaryDirectory(prefix="hypernetes-fuzz-") as name:
        directory = Path(name)
        (directory / "openapi.json").write_text(json.dumps(openapi.document()))
        # Also keeps the token out of the arguments, which all users of the machine can read.
        (directory / "schemathesis.toml").write_text(
            f'headers = {{ "X-Auth-Token" = {json.dumps(token)} }}\n\n[output.sanitization]\nenabled = true\n'
            + "".join(_PHASE.format(phase, "false" if spares_existing else "true") for phase in _PHASES)
        )
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json",
            "--url", url, "--max-examples", str(examples), "--seed", str(seed),
            "--phases", ",".join(_PHASES), "--checks", ",".join(_CHECKS), "--continue-on-failure",
            "--max-response-time", str(LONGEST_SECONDS), "--request-timeout", "60", "--no-color",
            "--report", "har", "--report-har-path", "report.har",
            *(("--max-time", str(seconds)) if seconds else ()),
            *(("--tls-verify", ca_file) if ca_file else ()),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        report = directory / "report.har"
        if not report.exists():
            raise AssertionError(f"schemathesis: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return _summary(json.loads(report.read_text()), done.stdout if done.returncode else "")


def _summary(report: Mapping[str, object], failures: str) -> Summary:
    log = report["log"]
    assert isinstance(log, dict)
    entries = log["entries"]
    statuses = collections.Counter(entry["response"]["status"] for entry in entries)
    slowest = max(entries, key=lambda entry: float(entry["time"]))
    return Summary(
        statuses=dict(sorted(statuses.items())),
        slowest_seconds=float(slowest["time"]) / 1000,
        slowest=f"{slowest['request']['method']} {slowest['request']['url']}",
        failures=failures,
    )
