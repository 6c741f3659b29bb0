"""Convolutions behind average pooling: sums of blocks first, then a smaller convolution.

Pooling folds into the convolution behind it (docs/method.md), whose kernel then holds each weight once for every pixel
of a pooled block: four times the multiplications for blocks of 2 x 2. Adding up the block's spikes first is the same
sum in another order.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from snnc.compiler.program import Synapse

if TYPE_CHECKING:
    from snnc.runtime.simulator.connection import Connection

# What uint8 holds.
LARGEST_SUM = 255


def block_shape(synapse: Synapse, source_shape: tuple[int, ...], largest: int) -> tuple[int, int]:
    """(height, width) of the largest blocks over which all of a convolution's weights are equal; (1, 1) for none.

    Blocks tile the kernel, the padding and the image, and the kernel moves in whole blocks, so that every window is
    made of whole ones.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.
        largest: The largest value that it can read; the sum of a block stays within LARGEST_SUM.
    """
    if synapse.kind != "conv" or synapse.dilation != (1, 1):
        return (1, 1)
    sizes = [
        math.gcd(kernel, stride, padding, length)
        for kernel, stride, padding, length in zip(
            synapse.weight.shape[2:], synapse.stride, synapse.padding, source_shape[1:], strict=True
        )
    ]
    fitting = [
        (height, width)
        for height in _divisors(sizes[0])
        for width in _divisors(sizes[1])
        if height * width * largest <= LARGEST_SUM and _is_made_of(synapse, (height, width))
    ]
    return max(fitting, key=math.prod)


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _is_made_of(synapse: Synapse, block: tuple[int, int]) -> bool:
    height, width = block
    whole = synapse.weight[:, :, ::height, ::width].repeat(height, 2).repeat(width, 3)
    return np.array_equal(whole, synapse.weight)


def without_blocks(synapse: Synapse, block: tuple[int, int]) -> Synapse:
    """The convolution of the blocks' sums that gives what a convolution of the blocks gives."""
    height, width = block
    return replace(
        synapse,
        weight=np.ascontiguousarray(synapse.weight[:, :, ::height, ::width]),
        stride=(synapse.stride[0] // height, synapse.stride[1] // width),
        padding=(synapse.padding[0] // height, synapse.padding[1] // width),
    )


class BlockSums:
    """Adds up blocks of what a connection reads.

    Args:
        block: (height, width).
        source_shape: Shape of what is read.
        connection: What takes the sums.
    """

    def __init__(self, block: tuple[int, int], source_shape: tuple[int, ...], connection: Connection) -> None:
        self.scratch = math.prod(source_shape) // math.prod(block) + connection.scratch
        self._block = block
        self._connection = connection

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The input of the layer, of uint8 values (batch, *source shape)."""
        height, width = self._block
        parts = (values[:, :, row::height, column::width] for row in range(height) for column in range(width))
        total = next(parts) + next(parts)
        for part in parts:
            total += part
        return self._connection(total)
