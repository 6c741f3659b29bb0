"""What a node of a NIR graph gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch.fx

__all__ = ["Value"]


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
