"""The fastest exact way to compute what arrives over a synapse."""

from __future__ import annotations

import math
from typing import Protocol

import torch

from snnc.compiler.program import Synapse
from snnc.compiler.program.synaptic_input import SynapticInput
from snnc.runtime.simulator.block_sums import BlockSums, block_shape, without_blocks
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
        """The input of the layer, (batch, *shape), of uint8 values (batch, *source shape)."""
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
    """Prepares a synapse.

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
    """Whether two maps give the same for one input that has all values everywhere."""
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
    """The smallest number type in which a matrix product of whole numbers is exact."""
    if dtype != torch.float32:
        return dtype
    even = not (synapse.weight & 1).any() and HALVES[0] <= synapse.weight.min() >> 1
    if even and synapse.weight.max() >> 1 <= HALVES[1] and largest <= LARGEST_INPUT and integer_products_work(device):
        return torch.int8
    # Half precision on a CPU is emulated, and slower.
    return torch.half if largest_sum <= HALF_EXACT and device.type != "cpu" else dtype
