# SPDX-License-Identifier: Apache-2.0
"""The bootstrap phases that a node carries out, one function each.

A phase takes the node and its inputs and returns its outputs. It is idempotent: a phase that was killed, or that
failed, is simply run again. It raises :class:`NodePhaseFailed` when it cannot go on.
"""

from collections.abc import Callable
from collections.abc import Mapping

from hypernetes.agent.host import node as nodes

Outputs = dict[str, str]
Phase = Callable[[nodes.Node, Mapping[str, str]], Outputs]


class NodePhaseFailed(Exception):
    """A phase cannot go on; the text says why and, where it is known, what to do. Nothing secret."""


def required(inputs: Mapping[str, str], name: str) -> str:
    """Return an input that the order must carry.

    :raises NodePhaseFailed: when the order lacks it.
    """
    try:
        return inputs[name]
    except KeyError:
        raise NodePhaseFailed(f"the order lacks the input {name}") from None
