# SPDX-License-Identifier: Apache-2.0
"""Finds the option groups of this package, for the executables and for the sample generator."""

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from oslo_config import cfg

import hypernetes.conf


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(hypernetes.conf.__path__):
        module = importlib.import_module(f"hypernetes.conf.{info.name}")
        if hasattr(module, "OPTIONS"):
            yield module


def register(conf: cfg.ConfigOpts, *groups: str) -> None:
    """Register the named groups with ``conf``, or every group if none is named. Idempotent.

    An executable registers only its own groups, so that it does not depend on the options of others.
    """
    for module in _modules():
        if groups and (module.GROUP is None or module.GROUP.name not in groups):
            continue
        if module.GROUP is None:
            conf.register_opts(module.OPTIONS)
        else:
            # A copy: oslo.config keeps a group's values in the group, and so would share them between all ConfigOpts.
            conf.register_group(copy.deepcopy(module.GROUP))
            conf.register_opts(module.OPTIONS, group=module.GROUP)


def list_opts() -> list[tuple[str | cfg.OptGroup, list[cfg.Opt]]]:
    """Return all groups with their options, for ``oslo-config-generator``."""
    return [("DEFAULT" if m.GROUP is None else m.GROUP, list(getattr(m, "LISTED", m.OPTIONS))) for m in _modules()]
