"""Convolutions and matrix products of spikes in 8-bit integers, several times as fast as in floating point on a CPU.

A spike is 0 or 1 and a weight an even number of nine bits, so that half of it has eight: what oneDNN multiplies four at
a time where a CPU has the instructions for it (AVX-512 VNNI), adds up in 32 bits and gives back as float32. Nothing is
rounded on the way.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch._ops import ops

from snnc.common.memory_order import convolution_order
from snnc.program import Synapse

# CPUs without VNNI add up pairs of products in 16 bits: from 2 * -128 * 128 to 2 * 127 * 128 they hold them.
LARGEST_INPUT = 128
HALVES = (-128, 127)


class IntegerProduct:
    """The linear map of a convolution or of a dense synapse.

    Args:
        synapse: A synapse that :meth:`suits`.
        source_shape: Shape of what it reads.
    """

    def __init__(self, synapse: Synapse, source_shape: tuple[int, ...]) -> None:
        # Spikes go in as they are, sums come out as the neurons take them.
        self.scratch = 0
        halves = (synapse.weight >> 1).astype(np.int8)
        if synapse.kind == "dense":
            halves = _in_memory_order(halves, source_shape)[:, :, None, None]
            source_shape = (halves.shape[1], 1, 1)
        self._source_shape = source_shape
        self._dense = synapse.kind == "dense"
        self._options = (list(synapse.stride), list(synapse.padding), list(synapse.dilation), synapse.groups)
        self._scale = torch.full((len(halves),), float(2 << synapse.exponent))
        self._zero = torch.zeros(len(halves), dtype=torch.int32)
        self._weight = ops.onednn.qconv_prepack(
            torch.from_numpy(halves), self._scale, 1.0, 0, *self._options, [1, *source_shape]
        )

    @staticmethod
    def suits(synapse: Synapse, source_shape: tuple[int, ...], largest: int) -> bool:
        """Return whether a synapse can be computed this way, exactly, on this machine.

        Args:
            synapse: The synapse.
            source_shape: Shape of what it reads.
            largest: The largest value that it can read.
        """
        if synapse.kind == "sparse" or largest > LARGEST_INPUT or (synapse.weight & 1).any():
            return False
        if synapse.kind == "conv":
            window = (source_shape[1:], synapse.weight.shape[2:], synapse.padding, synapse.dilation)
            if convolution_order(*window) != torch.channels_last:
                return False
            # oneDNN reads beyond the rows of narrow images where each channel is convolved alone in wider steps
            # (torch 2.3.1 to 2.14.1).
            if synapse.weight.shape[1] == 1 and synapse.stride != (1, 1):
                return False
        low, high = (int(each) >> 1 for each in (synapse.weight.min(), synapse.weight.max()))
        return HALVES[0] <= low and high <= HALVES[1] and integer_products_work()

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the input of the layer.

        Args:
            values: uint8, (batch, *source shape), 0..LARGEST_INPUT; best in channels-last order.

        Returns:
            float32, (batch, channels, height, width), or (batch, features); whole numbers.
        """
        if self._dense:
            # Flattened in the order in which it lies in memory, so that nothing is copied.
            values = values.permute(0, 2, 3, 1) if values.ndim == 4 else values
            values = values.reshape(len(values), *self._source_shape)
        values = values.contiguous(memory_format=torch.channels_last)
        found = _convolution(values, self._weight, self._scale, self._zero, self._options)
        return found.flatten(1) if self._dense else found


@cache
def integer_products_work() -> bool:
    """Return whether this torch computes them here, fast and rightly; tried on a product that fills its numbers."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        # oneDNN has no fast code elsewhere.
        return False
    weight = np.full((2, 64, 3, 3), HALVES[0], np.int8)
    weight[1] = HALVES[1]
    synapse = Synapse(-1, "conv", 2 * weight.astype(np.int16), (1, 1), (1, 1))
    values = torch.full((2, 64, 5, 5), LARGEST_INPUT, dtype=torch.uint8)
    try:
        found = IntegerProduct(synapse, (64, 5, 5))(values)
    except (AttributeError, RuntimeError, TypeError):
        # They are torch's own inner functions, which another version may not have.
        return False
    exact = torch.nn.functional.conv2d(values.double(), torch.as_tensor(synapse.weight).double(), padding=1)
    return found.dtype == torch.float32 and torch.equal(found.double(), exact)


def _convolution(
    values: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
    options: tuple[list[int], list[int], list[int], int],
) -> torch.Tensor:
    found: torch.Tensor = ops.onednn.qconv2d_pointwise(
        *(values, 1.0, 0, weight, scale, zero, None, *options), *(1.0, 0, torch.float32, "none", [], "")
    )
    return found


def _in_memory_order(weight: NDArray[np.int8], source_shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return the columns of a matrix in the order in which the source lies in memory: channels last."""
    if len(source_shape) != 3:
        return weight
    columns = np.arange(weight.shape[1]).reshape(source_shape).transpose(1, 2, 0).ravel()
    return np.ascontiguousarray(weight[:, columns])
