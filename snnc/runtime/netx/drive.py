"""What the spikes of several steps add to the neurons of a block, as Lava's Conv, Dense and DelayDense compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import DataError
from snnc.common.memory_order import in_memory
from snnc.program import Synapse
from snnc.program.netx import Connections
from snnc.program.synaptic_input import SynapticInput
from snnc.runtime.simulator.connection import FLOAT32_EXACT, connect


def as_synapse(connections: Connections) -> Synapse:
    """Return the same connections, without their shift and delays, as programs have them."""
    return Synapse(
        source=-1,
        kind=connections.kind,
        weight=connections.weight.astype(np.int16),
        stride=connections.stride,
        padding=connections.padding,
        dilation=connections.dilation,
        groups=connections.groups,
    )


FLOAT64_EXACT = 1 << 53
LARGEST_BYTE = 255
# Lava's Conv keeps its sums in 24 bits with a sign, its Dense sends them on in 32.
CONV_BITS = 24
DENSE_BITS = 32

Product = Callable[[torch.Tensor], torch.Tensor]


class SynapticDrive:
    """The synapses into a block.

    Args:
        connections: The synapses.
        source_shape: Shape of what they read.
        shape: Shape of the block.
        largest: The largest magnitude that arrives.
        is_graded: Whether numbers arrive and not spikes.
        is_negative: Whether some of the numbers are below 0.

    Raises:
        DataError: Sums of such numbers would not be exact.

    Attributes:
        tail: How many steps before the present ones it needs: the longest delay.
    """

    def __init__(
        self,
        connections: Connections,
        source_shape: tuple[int, ...],
        shape: tuple[int, ...],
        *,
        largest: int = 1,
        is_graded: bool = False,
        is_negative: bool = False,
    ) -> None:
        self._connections = connections
        self._source_shape = source_shape
        self._neurons = math.prod(shape)
        self._is_graded = is_graded
        self._bound = connections.largest_sum * largest
        if self._bound >= FLOAT64_EXACT:
            raise DataError("the numbers are too large to be added up", found=f"{largest:,}")
        self._as_bytes = not is_negative and largest <= LARGEST_BYTE
        self._dtype = torch.float32 if self._bound < FLOAT32_EXACT else torch.float64
        self.tail = connections.longest_delay
        # (delay, the neurons whose synapses have it, product).
        self._parts: list[tuple[int, NDArray[np.int64] | slice, Product]] = []
        if connections.delay is None:
            self._parts.append((0, slice(None), self._product(connections, shape, largest)))
            return
        for delay in np.unique(connections.delay).tolist():
            have = connections.delay == delay
            rows = np.flatnonzero(have.any(axis=1))
            part = replace(connections, weight=np.where(have, connections.weight, 0)[rows], delay=None)
            self._parts.append((delay, rows, self._product(part, (len(rows),), largest)))

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.int32]:
        """Return the input of the block's neurons in each step.

        Args:
            values: (tail + steps, samples, *source shape in memory), uint8 or int32: what arrives, with what arrived
                before.

        Returns:
            (steps, samples, neurons as they lie in memory), weight units.
        """
        steps, samples = len(values) - self.tail, values.shape[1]
        first = self._parts[0]
        if len(self._parts) == 1 and isinstance(first[1], slice):
            return self._sums(values, first[2])
        drive = np.zeros((steps, samples, self._neurons), np.int32)
        for delay, rows, product in self._parts:
            begin = self.tail - delay
            drive[:, :, rows] += self._sums(values[begin : begin + steps], product)
        return drive

    def _sums(self, values: NDArray[np.generic], product: Product) -> NDArray[np.int32]:
        steps, samples = values.shape[:2]
        plain = np.ascontiguousarray(values, np.uint8 if self._as_bytes else np.int32)
        given = torch.from_numpy(plain).reshape(steps * samples, *in_memory(self._source_shape))
        found = product(given.permute(0, 3, 1, 2) if given.ndim == 4 else given)
        found = found.permute(0, 2, 3, 1) if found.ndim == 4 else found
        whole = found.to(torch.int32 if self._bound < 1 << (DENSE_BITS - 1) else torch.int64)
        return self._kept(whole.reshape(steps, samples, -1).contiguous().numpy())

    def _kept(self, sums: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.int32]:
        """Return what Lava keeps of exact sums."""
        connections = self._connections
        if connections.kind == "conv":
            return _wrapped(sums, self._bound, CONV_BITS)
        # Lava adds up numbers in 32 bits; spikes, and all that is delayed, in 64, which it shifts before it cuts them.
        if self._is_graded and connections.delay is None:
            return _wrapped(sums, self._bound, DENSE_BITS) >> connections.shift
        return _wrapped(sums >> connections.shift, self._bound, DENSE_BITS)

    def _product(self, part: Connections, shape: tuple[int, ...], largest: int) -> Product:
        synapse = as_synapse(part)
        if self._as_bytes:
            return connect(
                synapse,
                self._source_shape,
                shape,
                largest=largest,
                largest_sum=self._bound,
                dtype=self._dtype,
                device=torch.device("cpu"),
                native=True,
            )
        plain = SynapticInput(synapse, self._source_shape, shape, dtype=self._dtype)
        return lambda values: plain(values.to(self._dtype))


def _wrapped(sums: NDArray[np.int32] | NDArray[np.int64], bound: int, bits: int) -> NDArray[np.int32]:
    """Return integers of so many bits with a sign; sums are at most ``bound`` in magnitude."""
    half = 1 << (bits - 1)
    if bound < half:
        return sums.astype(np.int32, copy=False)
    kept: NDArray[np.int32] = ((sums.astype(np.int64) + half) % (2 * half) - half).astype(np.int32)
    return kept
