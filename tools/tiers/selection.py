# SPDX-License-Identifier: Apache-2.0
"""What the words on the command line select: tiers, and names of tests within a tier."""

import os
import re
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path


def by_tier(
    words: Sequence[str], tiers: Collection[str], quick: Mapping[str, Sequence[str]] | None = None
) -> dict[str, list[str]]:
    """Return the tiers named, each with the words that follow it; all tiers if there are no words.

    :param quick: the part of a long tier that runs when all tiers do.
    :raises ValueError: when the first word is not a tier.
    """
    if not words:
        return {name: list((quick or {}).get(name, ())) for name in tiers}
    if words[0] not in tiers:
        raise ValueError(f"no tier {words[0]}; there are {', '.join(tiers)}")
    selected: dict[str, list[str]] = {}
    for word in words:
        if word in tiers:
            names = selected.setdefault(word, [])
        else:
            names.append(word)
    return selected


def pattern(tier: str, name: str) -> str:
    """Return the regular expression for the ids of the tests that a name means.

    A name is that of a package, a module, a class or a method, with dots or as a path, with or without the module's
    ``test_``: ``osc``, ``conductor.namespaces``, ``hypernetes/tests/unit/osc/test_config.py``.
    """
    parts = [
        re.escape(word) if word.startswith("test_") else f"(test_)?{re.escape(word)}" for word in _words(tier, name)
    ]
    return rf"^hypernetes\.tests\.{tier}\." + r"\.".join(parts) + r"($|[.\[(])"


def directory(root: Path, tier: str, names: Sequence[str]) -> Path:
    """Return the deepest directory that holds all the named tests, so that no others need to be imported."""
    top = root / "hypernetes" / "tests" / tier
    return Path(os.path.commonpath([_deepest(top, _words(tier, name)) for name in names] or [top]))


def _deepest(path: Path, words: Sequence[str]) -> Path:
    for word in words:
        if not (path / word).is_dir():
            break
        path /= word
    return path


def _words(tier: str, name: str) -> list[str]:
    words = re.split(r"[./]+", name.removesuffix(".py").strip("./"))
    for prefix in ("hypernetes", "tests", tier):
        if len(words) > 1 and words[0] == prefix:
            words = words[1:]
    return words
