# SPDX-License-Identifier: Apache-2.0
"""INI text as oslo.config reads it, from plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

Value = str | int | float | bool | Sequence[str]
Sections = Mapping[str, Mapping[str, Value]]


def render(sections: Sections) -> str:
    """Render sections and their options in the given order; a list becomes one comma-separated value.

    A ``$`` is doubled, since oslo.config would take what follows for the name of another option.
    """
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {_text(value)}" for name, value in options.items()]
        lines.append("")
    return "\n".join(lines)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).replace("$", "$$")
    return ",".join(item.replace("$", "$$") for item in value)
