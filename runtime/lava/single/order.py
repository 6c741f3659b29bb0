"""In which order models can run that share a process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from snnc.errors import BackendError

Node = TypeVar("Node")


def running_order(nodes: Iterable[Node], sources: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Nodes such that each comes after those that send to it.

    Args:
        nodes: All of them; the order of equals.
        sources: For each the others that send to it in the same step.

    Raises:
        BackendError: They wait for each other.
    """
    try:
        return list(TopologicalSorter({node: set(sources.get(node, ())) for node in nodes}).static_order())
    except CycleError as error:
        raise BackendError(
            "these processes wait for each other, so they cannot run one after another",
            advice="choose the stock models, which Lava runs side by side",
        ) from error
