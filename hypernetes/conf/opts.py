# SPDX-License-Identifier: Apache-2.0
"""Finds the option groups of this package, for executables and for the sample generator."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from oslo_config import cfg

import hypernetes.conf


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(hypernetes.conf.__path__):
        if info.name != "opts":
            yield importlib.import_module(f"hypernetes.conf.{info.name}")


def register(conf: cfg.ConfigOpts, *groups: str) -> None:
    """Register the named groups of ours with ``conf``, or every one; doing it twice is harmless.

    An executable that names its groups is not asked for what another one requires.
    """
    for module in _modules():
        if groups and (module.GROUP is None or module.GROUP.name not in groups):
            continue
        if module.GROUP is None:
            conf.register_opts(module.OPTIONS)
        else:
            conf.register_group(module.GROUP)
            conf.register_opts(module.OPTIONS, group=module.GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """What ``oslo-config-generator`` asks for."""
    return [("DEFAULT" if m.GROUP is None else m.GROUP.name, list(m.OPTIONS)) for m in _modules()]
