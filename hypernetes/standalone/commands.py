# SPDX-License-Identifier: Apache-2.0
"""The commands of the quickstart: up, status, env, down, clean."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import yaml

from hypernetes.standalone import addresses
from hypernetes.standalone import cleanup
from hypernetes.standalone import component
from hypernetes.standalone import machine
from hypernetes.standalone import machine_lock
from hypernetes.standalone import ownership
from hypernetes.standalone import runner
from hypernetes.standalone import table
from hypernetes.standalone.components import worker
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

READY = 0
FAILED = 1
NOT_READY = 3

# They would take precedence over, or contradict, what ``env`` sets.
CONFLICTING_VARIABLES = (
    "OS_CLOUD",
    "OS_CLIENT_CONFIG_FILE",
    "OS_TOKEN",
    "OS_PROJECT_ID",
    "OS_USER_DOMAIN_ID",
    "OS_PROJECT_DOMAIN_ID",
    "OS_SYSTEM_SCOPE",
)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; ``up`` is the default command."""
    top = argparse.ArgumentParser(prog="tools/quickstart", description="Hypernetes on one machine.")
    verbs = top.add_subparsers(dest="verb")
    up = verbs.add_parser("up", help="start everything that is not running, then show evidence")
    up.add_argument(
        "--until",
        action="append",
        metavar="COMPONENT",
        help="start only this component and everything it needs; may be repeated",
    )
    up.add_argument(
        "--with",
        action="append",
        dest="chosen",
        default=[],
        choices=sorted(
            name
            for name, one in table.COMPONENTS.items()
            if one.optional and name not in {*table.of_workers(worker.WORKERS), *table.companions()}
        ),
        help="also start this component, now and in each later `up`; may be repeated",
    )
    up.add_argument(
        "--nodes",
        type=int,
        choices=range(1, len(addresses.NODES) + 1),
        help="how many nodes the cluster has, now and in each later `up`; 1 at first. Those above are removed",
    )
    verbs.add_parser("status", help="show what is ready; exit status 3 if anything is not")
    env = verbs.add_parser("env", help='print shell exports for a user: eval "$(tools/quickstart env red)"')
    env.add_argument("name", metavar="NAME", help="admin, red or blue")
    verbs.add_parser("down", help="stop everything and keep the data")
    clean = verbs.add_parser("clean", help="stop everything and remove every trace")
    clean.add_argument("--keep-cache", action="store_true", help="keep builds and downloads")
    return top


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    options = parser().parse_args(list(arguments) or ["up"])
    installation = Installation(Layout.from_environment())
    try:
        if options.verb == "status":
            return status(installation)
        if options.verb == "env":
            return env(installation, options.name)
        # First: nothing is done to a directory that does not belong to a quickstart.
        ownership.check(installation.layout)
        with machine_lock.held(installation.layout.state) as lock:
            if options.verb == "down":
                cleanup.down(installation, table.COMPONENTS)
                return READY
            if options.verb == "clean":
                cleanup.clean(installation, table.COMPONENTS, keep_cache=options.keep_cache)
                lock.forget()
                return READY
            ownership.claim(installation.layout)
            # `up` may be left out, and then has no options.
            installation.record("with", *getattr(options, "chosen", ()))
            if getattr(options, "nodes", None):
                installation.remember("nodes", str(options.nodes))
            return up(installation, options.until)
    except (machine.StandaloneError, component.TableInvalid) as error:
        sys.stderr.write(f"quickstart: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Run it again to resume, or stop with `tools/quickstart down`.\n")
        # Threads may be waiting; nothing they hold needs an orderly shutdown.
        sys.stderr.flush()
        os._exit(130)


def up(installation: Installation, until: Sequence[str] | None) -> int:
    """Start components, the last of which measures the evidence."""
    begin = time.monotonic()
    installation.say = _say
    wanted = component.closure(table.COMPONENTS, until or chosen(installation))
    results = runner.start_all(table.COMPONENTS, wanted, installation, runner.Progress(_say))
    if until is None and not any(result.error for result in results):
        for name in set(installation.nodes()) & set(worker.WORKERS) - set(installation.workers()):
            _say(f"  removing {name}\n")
            worker.retire(installation, name)
    failed = [result.name for result in results if result.error]
    if failed:
        _say(f"failed: {', '.join(failed)}; logs are in {installation.layout.log}\n")
        return FAILED
    _say(f'up in {time.monotonic() - begin:.1f} s; next: eval "$(tools/quickstart env red)"\n')
    return READY


def chosen(installation: Installation) -> list[str]:
    """Return the components of the installation: all but the optional ones that nothing named by an ``up`` needs."""
    named = installation.recorded("with")
    named += [companion for name in named for companion in table.COMPANIONS.get(name, ())]
    named += table.of_workers(installation.workers())
    wanted = [name for name, one in table.COMPONENTS.items() if not one.optional or name in named]
    needed = component.closure(table.COMPONENTS, wanted)
    return [name for name in table.COMPONENTS if name in needed]


def status(installation: Installation) -> int:
    """Print one line per component and one per process."""
    ready: dict[str, bool] = {}
    parts = chosen(installation)
    for name in component.order(table.COMPONENTS):
        if name not in parts:
            continue
        one = table.COMPONENTS[name]
        # When what it needs is not ready, asking it would only wait for a timeout.
        able = installation.layout.state.exists() and all(ready[need] for need in one.needs)
        try:
            ready[name] = able and one.ready(installation)
        except (machine.StandaloneError, OSError):
            ready[name] = False
        _say(f"  {name:<20} {'ready' if ready[name] else 'not ready':<10} {one.summary}\n")
    for supervisor in (installation.control, *map(installation.node_supervisor, installation.nodes())):
        for program, state in supervisor.states().items():
            _say(f"    {supervisor.name}/{program}: {state}\n")
    return READY if all(ready.values()) else NOT_READY


def env(installation: Installation, name: str) -> int:
    """Print shell exports with which ``openstack`` and ``kubectl`` work as this user, like an openrc file."""
    layout = installation.layout
    path = layout.clients / "clouds.yaml"
    clouds = yaml.safe_load(path.read_text())["clouds"] if path.exists() else {}
    if name not in clouds:
        raise machine.StandaloneError(f"no user {name} exists yet; run tools/quickstart up first")
    for variable in CONFLICTING_VARIABLES:
        _say(f"unset {variable}\n")
    for variable, value in client_environment(layout, clouds[name]).items():
        _say(f"export {variable}={shlex.quote(value)}\n")
    _say(f"export KUBECONFIG={shlex.quote(str(layout.clients / f'{name}.kubeconfig'))}\n")
    _say(f"export PATH={shlex.quote(str(layout.venv / 'bin'))}:{shlex.quote(str(layout.dist / 'bin'))}:$PATH\n")
    return READY


def client_environment(layout: Layout, cloud: Mapping[str, Any]) -> dict[str, str]:
    """Return the OS_* variables of one user of ``clouds.yaml``."""
    return {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": cloud["auth"]["auth_url"],
        "OS_USERNAME": cloud["auth"]["username"],
        "OS_PASSWORD": cloud["auth"]["password"],
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_NAME": cloud["auth"]["project_name"],
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": cloud["region_name"],
        "OS_IDENTITY_API_VERSION": "3",
        "OS_CACERT": str(layout.ca_certificate),
    }


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
