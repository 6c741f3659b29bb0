"""What a node of a NIR graph gives, and the error where it cannot be compiled."""

from __future__ import annotations

from dataclasses import dataclass

import torch.fx

from snnc.compiler.frontend.assembly import Place
from snnc.errors import UnsupportedError

__all__ = ["Value", "unusable"]


@dataclass(frozen=True)
class Value:
    """A value of the network.

    Attributes:
        node: What computes it.
        channels: Its channels; 0 for features, whose number the layer behind them knows.
        is_image: Whether it has a height and a width.
        is_spiking: Whether neurons send it.
    """

    node: torch.fx.Node
    channels: int
    is_image: bool
    is_spiking: bool = False


def unusable(place: Place, problem: str, expected: str) -> UnsupportedError:
    """The error for a node.

    Args:
        place: The node.
        problem: What is wrong with it.
        expected: What would be right.
    """
    return place.unsupported(problem, expected, advice="change it in the tool that wrote the graph")
