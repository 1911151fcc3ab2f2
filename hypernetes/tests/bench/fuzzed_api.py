# SPDX-License-Identifier: Apache-2.0
"""Sends thousands of requests that schemathesis makes from the API's schemas to the running stack, as two users."""

import argparse
import json

from hypernetes.standalone import addresses
from hypernetes.tests.isolation import base
from hypernetes.tests.support import fuzzing

_LISTS = {"namespaces": "?all_projects=true", "clusters": "", "nodes": ""}
"""What good requests make."""


def main() -> int:
    """Print the figures as JSON; the status says whether all checks passed."""
    parser = argparse.ArgumentParser(prog="tools/bench fuzzed-api", description=__doc__)
    parser.add_argument("--examples", type=int, default=150, help="made-up requests for each operation")
    parser.add_argument("--seconds", type=int, help="go on for so long, for each user")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    before = _present()
    figures, failures = {}, ""
    try:
        for who in ("red", "admin"):
            found = fuzzing.fuzz(
                addresses.API_URL,
                str(base.cloud(who).session.get_token()),
                examples=options.examples,
                seconds=options.seconds,
                seed=options.seed,
                ca_file=str(base.LAYOUT.ca_certificate),
                spares_existing=True,
            )
            figures[who] = {
                "requests": found.requests,
                "statuses": found.statuses,
                "slowest_seconds": round(found.slowest_seconds, 3),
                "slowest": found.slowest,
            }
            failures += found.failures
    finally:
        for path in _present() - before:
            base.rest("admin", "DELETE", path)
    print(json.dumps(figures, indent=2))
    print(failures[-5000:])
    return 1 if failures else 0


def _present() -> set[str]:
    """Return the paths of all that exists."""
    return {
        f"/v1/{kind}/{each['id']}"
        for kind, query in _LISTS.items()
        for each in base.rest("admin", "GET", f"/v1/{kind}{query}").json()[kind]
    }


if __name__ == "__main__":
    raise SystemExit(main())
