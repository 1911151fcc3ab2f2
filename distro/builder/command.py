# SPDX-License-Identifier: Apache-2.0
"""The command line of ``distro/build``."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
import tomllib
from collections.abc import Sequence

from . import catalog, toolchain
from .cache import Cache
from .component import BuildError
from .engine import Engine, in_order
from .tree import Tree

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    main = argparse.ArgumentParser(
        prog="distro/build",
        description="Build the distribution, or the named components of it, into a tree.",
        epilog="Components: " + ", ".join(component.name for component in catalog.COMPONENTS),
    )
    main.add_argument("--output", type=pathlib.Path, required=True, metavar="DIST", help="the tree to fill")
    main.add_argument(
        "--cache",
        type=pathlib.Path,
        default=pathlib.Path("/var/cache/hypernetes-distro"),
        metavar="DIR",
        help="kept between builds: downloads, compiler caches, results (default: %(default)s)",
    )
    main.add_argument("--jobs", type=int, default=2, help="components built at the same time (default: %(default)s)")
    main.add_argument("component", nargs="*", help="what to build; everything when none is named")
    return main


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is built, 1 when a component failed, 130 when interrupted."""
    options = parser().parse_args(argv)
    started = time.monotonic()
    try:
        build(options.output.resolve(), options.cache.resolve(), options.component, options.jobs)
    except BuildError as error:
        print(f"distro/build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("distro/build: interrupted; the next run goes on from what is complete", file=sys.stderr)
        return 130
    print(f"{'distribution':<20} {'complete':<10} {time.monotonic() - started:7.1f} s", flush=True)
    return 0


def build(output: pathlib.Path, cache: pathlib.Path, names: Sequence[str], jobs: int) -> None:
    """Build the named components, or all, into ``output``; raises BuildError."""
    versions = tomllib.loads((ROOT / "distro" / "versions.toml").read_text())
    wanted = list(names) or [component.name for component in catalog.COMPONENTS]
    engine = Engine(
        root=ROOT,
        cache=Cache(cache),
        tree=Tree(output),
        versions=versions,
        go=lambda: toolchain.provide(versions["go"]["minimum"], versions["go"]["pypi"], cache),
        report=lambda line: print(line, flush=True),
        jobs=jobs,
    )
    engine.run(in_order(catalog.COMPONENTS, wanted))
