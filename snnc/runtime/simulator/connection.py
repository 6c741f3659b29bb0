"""The linear map of a synapse, by the fastest way that is exact.

One of the ways is for convolutions after average pooling: sums of blocks first, then a smaller convolution. Pooling
folds into the convolution after it (docs/method.md), whose kernel then holds each weight once for every pixel of a
pooled block: four times the multiplications for blocks of 2 x 2. Adding up the block's spikes first is the same sum in
another order.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from snnc.program import Synapse
from snnc.program.synaptic_input import SynapticInput
from snnc.runtime.simulator.integer_convolution import HALVES, IntegerProduct
from snnc.runtime.simulator.window_product import LARGEST_INPUT, WindowProduct, integer_products_work

# Integers up to here are exact in a number type, sums of them too, in whatever order.
HALF_EXACT = 1 << 11
FLOAT32_EXACT = 1 << 24
# Multiples of a number modulo a prime, which look as if drawn by lot.
TRIAL_STEP, TRIAL_PERIOD = 7919, 104729


class Connection(Protocol):
    """The linear map of a synapse.

    Attributes:
        scratch: Bytes that it takes for each row beside its input and output.
    """

    scratch: int

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the input of the layer, (batch, *shape), of uint8 values (batch, *source shape)."""
        ...


def connect(
    synapse: Synapse,
    source_shape: tuple[int, ...],
    shape: tuple[int, ...],
    *,
    largest: int,
    largest_sum: int,
    dtype: torch.dtype,
    device: torch.device,
    native: bool,
) -> Connection:
    """Prepare a synapse.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.
        shape: Shape of the layer that it feeds.
        largest: The largest value that one neuron of the source sends in a step.
        largest_sum: What no sum of its products can exceed in magnitude, in weight units, in whatever order.
        dtype: Number type of the layer, float32 or float64: holds every sum exactly.
        device: Where to compute.
        native: Whether to take the ways that only CPUs have; else those of every device.
    """
    block = block_shape(synapse, source_shape, largest)
    if block != (1, 1):
        channels, height, width = source_shape
        smaller = connect(
            without_blocks(synapse, block),
            (channels, height // block[0], width // block[1]),
            shape,
            largest=largest * math.prod(block),
            largest_sum=largest_sum,
            dtype=dtype,
            device=device,
            native=native,
        )
        return BlockSums(block, source_shape, smaller)
    if native or synapse.kind == "sparse":
        plain = _FloatProduct(
            SynapticInput(synapse, source_shape, shape, dtype=dtype, device=device), source_shape, dtype
        )
        if native and dtype == torch.float32 and IntegerProduct.suits(synapse, source_shape, largest):
            # Trusted where it has proved itself: its many shapes are less often used than those of floating point.
            fast = IntegerProduct(synapse, source_shape)
            if _agree(fast, plain, source_shape, largest):
                return fast
        return plain
    number = _number_type(synapse, largest, largest_sum, dtype, device)
    return WindowProduct(synapse, math.prod(shape), number=number, dtype=dtype, device=device)


def _agree(first: Connection, second: Connection, source_shape: tuple[int, ...], largest: int) -> bool:
    """Return whether two maps give the same for one input that has all values everywhere."""
    scattered = torch.arange(math.prod(source_shape)) * TRIAL_STEP % TRIAL_PERIOD % (largest + 1)
    values = scattered.to(torch.uint8).view(1, *source_shape)
    return torch.equal(first(values).flatten(), second(values).flatten())


class _FloatProduct:
    """A map in floating point, of values that are converted first."""

    def __init__(self, product: SynapticInput, source_shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.scratch = math.prod(source_shape) * dtype.itemsize
        self._product = product
        self._dtype = dtype

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return self._product(values.to(self._dtype))


def _number_type(
    synapse: Synapse, largest: int, largest_sum: int, dtype: torch.dtype, device: torch.device
) -> torch.dtype:
    """Return the smallest number type in which a matrix product of whole numbers is exact."""
    if dtype != torch.float32:
        return dtype
    even = not (synapse.weight & 1).any() and HALVES[0] <= synapse.weight.min() >> 1
    if even and synapse.weight.max() >> 1 <= HALVES[1] and largest <= LARGEST_INPUT and integer_products_work(device):
        return torch.int8
    # Half precision on a CPU is emulated, and slower.
    return torch.half if largest_sum <= HALF_EXACT and device.type != "cpu" else dtype


# What uint8 holds.
LARGEST_SUM = 255


def block_shape(synapse: Synapse, source_shape: tuple[int, ...], largest: int) -> tuple[int, int]:
    """Return (height, width) of the largest blocks over which a convolution's weights are equal; (1, 1) for none.

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
    """Return the convolution of the blocks' sums that gives what a convolution of the blocks gives."""
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
        """Return the input of the layer, of uint8 values (batch, *source shape)."""
        height, width = self._block
        parts = (values[:, :, row::height, column::width] for row in range(height) for column in range(width))
        total = next(parts) + next(parts)
        for part in parts:
            total += part
        return self._connection(total)
