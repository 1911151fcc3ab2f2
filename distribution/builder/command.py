# SPDX-License-Identifier: Apache-2.0
"""The command line of ``distribution/build``."""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import time
import tomllib
from collections.abc import Sequence

from distribution.builder import catalog
from distribution.builder import push
from distribution.builder import toolchain
from distribution.builder.cache import Cache
from distribution.builder.component import BuildError
from distribution.builder.engine import build_order
from distribution.builder.engine import Engine
from distribution.builder.tree import Tree

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser for building."""
    parser = argparse.ArgumentParser(
        prog="distribution/build",
        description="Build the distribution, or the named components of it, into a tree.",
        epilog="Components: "
        + ", ".join(component.name + ("*" if component.optional else "") for component in catalog.COMPONENTS)
        + ' (* only if named). "distribution/build push -h" describes how to push a tree\'s images to a registry.',
    )
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="DIST", help="the tree to fill")
    parser.add_argument(
        "--cache",
        type=pathlib.Path,
        default=pathlib.Path("/var/cache/hypernetes-distribution"),
        metavar="DIR",
        help="kept between builds: downloads, compiler caches, results (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=int, default=2, help="components built at the same time (default: %(default)s)")
    parser.add_argument("component", nargs="*", help="what to build (default: all but those marked *)")
    return parser


def default_names() -> list[str]:
    """Return the components that are built where none is named."""
    return [component.name for component in catalog.COMPONENTS if not component.optional]


def push_parser() -> argparse.ArgumentParser:
    """Return the parser for pushing."""
    parser = argparse.ArgumentParser(
        prog="distribution/build push",
        description="Push a tree's images to a registry; images already present are skipped.",
        epilog="Credentials, if the registry needs any, are read from the file in the directory DOCKER_CONFIG.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--registry", metavar="URL", help="a registry that accepts pushes: https://HOST:PORT")
    where.add_argument(
        "--store",
        type=pathlib.Path,
        metavar="DIR",
        help="the storage directory of a registry on this machine, which may be served read-only",
    )
    parser.add_argument("--ca", type=pathlib.Path, metavar="FILE", help="the registry's CA certificate (PEM)")
    parser.add_argument("tree", type=pathlib.Path, metavar="DIST", help="the distribution tree")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 on success, 1 on failure, 130 when interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    # On a signal, the registry that push starts must be terminated as well.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if words[:1] == ["push"]:
            _push(push_parser().parse_args(words[1:]))
        else:
            _build(build_parser().parse_args(words))
    except BuildError as error:
        sys.stderr.write(f"distribution/build: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("distribution/build: interrupted; run it again to resume\n")
        return 130
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _push(options: argparse.Namespace) -> None:
    if options.store:
        push.fill_store(options.tree.resolve(), options.store.resolve(), _report)
    else:
        push.push(options.tree.resolve(), push.target(options.registry, options.ca), _report)


def _build(options: argparse.Namespace) -> None:
    started = time.monotonic()
    versions = tomllib.loads((ROOT / "distribution" / "versions.toml").read_text())
    cache = options.cache.resolve()
    engine = Engine(
        root=ROOT,
        cache=Cache(cache),
        tree=Tree(options.output.resolve()),
        versions=versions,
        go=lambda: toolchain.provide(versions["go"]["minimum"], versions["go"]["pypi"], cache),
        report=_report,
        jobs=options.jobs,
    )
    names = options.component or default_names()
    engine.run(build_order(catalog.COMPONENTS, names))
    _report(f"{'distribution':<20} {'complete':<10} {time.monotonic() - started:7.1f} s")
