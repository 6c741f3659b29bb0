"""What names in an ONNX model stand for while it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.fx

__all__ = ["CHANNELS_LAST", "Numbers", "Value", "identity"]

# An image (samples, rows, columns, channels) in terms of (samples, channels, rows, columns).
CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True)
class Value:
    """A tensor that the network computes.

    A transposition moves nothing: images stay (samples, channels, rows, columns), and it is noted which of these
    axes the model's own are. So what a converter puts around convolutions, for networks that have channels last,
    cancels.

    Attributes:
        node: The tensor, images with channels first.
        order: For each axis of the model's tensor the axis of ``node`` that it is.
        channels: Length of axis 1, where it is known.
    """

    node: torch.fx.Node
    order: tuple[int, ...]
    channels: int | None = None

    @property
    def plain(self) -> bool:
        """Whether the axes are in order."""
        return self.order == identity(len(self.order))

    def axis(self, axis: int) -> int:
        """The node's axis for one of the model's, which may be counted from behind.

        Raises:
            IndexError: There is no such axis.
        """
        return self.order[axis]

    def with_node(self, node: torch.fx.Node) -> Value:
        """The same arrangement of another tensor."""
        return replace(self, node=node)


@dataclass(frozen=True)
class Numbers:
    """Whole numbers that are computed of sizes: the shape of a tensor, parts of it, products.

    Attributes:
        values: The numbers; those known only once the network runs are nodes.
    """

    values: tuple[Any, ...]


def identity(rank: int) -> tuple[int, ...]:
    """The order of axes that are where they belong."""
    return tuple(range(rank))


Known = Value | Numbers | torch.Tensor
