"""How data become the numbers that the first layer receives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import per_channel
from snnc.common.errors import DataError

LEVELS = 256
# Inverse powers of 1.22074408..., the root of x ** 4 = x + 1, in 16 bits; a single axis of features takes the first.
GOLDEN_STEPS = (53685, 43978, 36025)


@dataclass(frozen=True, eq=False)
class InputCoding:
    """Raw data to 8-bit levels, and levels to what the ANN saw.

    A raw value r becomes the level ``q = round((r - offset) / unit)`` in 0..highest. The ANN saw ``scale * q + shift``
    of its channel; scale and shift are folded into the first layer, so the network receives q itself.

    Attributes:
        kind: ``graded``: spikes carry a payload; ``rate``: they are binary, and q becomes round(q T / highest) of them.
        shape: (channels, height, width) or (features,).
        unit: Raw value of one level, (channels,), > 0.
        offset: Raw value of level 0, (channels,).
        scale: ANN input per level, (channels,), not 0.
        shift: ANN input at level 0, (channels,).
        divisor: Levels that one unit of a graded payload stands for, 1..256. Payloads of 255 in every step would leave
            the first layer's weights a few units in a membrane of 24 bits; a level spread over the steps in payloads
            of q / divisor gives them the room of the chip's full range, and while divisor <= T the sum over the steps
            is as fine as the levels themselves.
        highest: The highest level of the calibration data, 1..255; what is above is clipped to it.
    """

    kind: Literal["graded", "rate"]
    shape: tuple[int, ...]
    unit: NDArray[np.float64]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    divisor: int = 1
    highest: int = LEVELS - 1

    @property
    def levels_per_unit(self) -> int:
        """Levels that one unit of input stands for in the sum over all steps."""
        return self.highest if self.kind == "rate" else self.divisor

    @property
    def largest(self) -> int:
        """The largest value that arrives in one step."""
        return -(-self.highest // self.levels_per_unit)

    @property
    def constant(self) -> bool:
        """Whether every step gets the same values."""
        return self.levels_per_unit == 1

    def levels(self, raw: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return levels of raw data.

        Args:
            raw: (samples, *shape), in the units of the calibration data.

        Returns:
            (samples, *shape), 0..highest; values outside the calibrated range are clipped to it.

        Raises:
            DataError: The shape does not fit, or a value is NaN.
        """
        if raw.shape[1:] != self.shape:
            raise DataError(
                "the data do not fit the network",
                expected=f"samples of shape {self.shape}",
                found=f"{tuple(raw.shape[1:])}",
            )
        if np.isnan(raw).any():
            raise DataError("the data hold NaN", expected="numbers")
        exact = (raw.astype(np.float64) - self._spread(self.offset)) / self._spread(self.unit)
        levels: NDArray[np.uint8] = np.rint(exact).clip(0, self.highest).astype(np.uint8)
        return levels

    def ann_input(self, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the ANN saw where the network sees ``levels``, (samples, *shape)."""
        return (levels * self._spread(self.scale) + self._spread(self.shift)).astype(np.float32)

    @property
    def period(self) -> int:
        """Steps after which the input repeats itself: a level spread over as many is sent whole."""
        return self.levels_per_unit

    def spikes(self, levels: NDArray[np.uint8], timesteps: int, first: int = 0) -> NDArray[np.uint8]:
        """Return the input at every step.

        Args:
            levels: (samples, *shape).
            timesteps: The number of steps.
            first: The step of a sample to begin at, from 0.

        Returns:
            (samples, timesteps, *shape), 0..largest: what an integrate-and-fire neuron with threshold
            ``levels_per_unit`` that starts at ``phases`` sends when it receives q at every step, so q T /
            levels_per_unit in all, rounded and evenly spread. Where the coding is constant, a view of the levels.
        """
        if self.constant:
            return np.broadcast_to(levels[:, None], (len(levels), timesteps, *self.shape))
        steps = np.arange(first, first + timesteps + 1, dtype=np.int32).reshape(-1, *(1,) * len(self.shape))
        unit = self.levels_per_unit
        sums = (levels[:, None].astype(np.int32) * steps + self.phases) // unit
        return np.diff(sums, axis=1).astype(np.uint8)

    @staticmethod
    def divisors(timesteps: int) -> tuple[int, ...]:
        """Return the divisors that suit T steps, the smallest first, 1..256.

        The larger the divisor, the finer the weights that payloads meet, but the coarser what arrives in one step. All
        are powers of two that divide the largest one <= T, so that nothing of a level is lost in the sum over the
        steps.

        Args:
            timesteps: T >= 1.
        """
        return tuple(1 << power for power in range(min(timesteps, LEVELS).bit_length()))

    @cached_property
    def phases(self) -> NDArray[np.int32]:
        """Where each input starts, of the input's shape, 0..levels_per_unit - 1.

        Rate-coded input starts halfway, so that its few spikes are rounded to the nearest number. Graded input is exact
        in the end; there neighbours start apart, for what they round in a step would otherwise add up: neighbouring
        pixels are alike. Multiples of the inverse powers of the generalised golden ratio, modulo 1, put all inputs of a
        window at nearly even distances (Roberts 2018, the additive recurrence R_d).
        """
        unit = self.levels_per_unit
        if self.kind == "rate":
            return np.full(self.shape, unit // 2, np.int32)
        places = np.indices(self.shape)
        # In 16 bits, so that no rounding differs between machines.
        turns = sum(step * place for step, place in zip(GOLDEN_STEPS, places, strict=False)) & 0xFFFF
        phases: NDArray[np.int32] = ((turns * unit) >> 16).astype(np.int32)
        return phases

    def _spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one number for each channel, shaped to be combined with samples."""
        return per_channel(values, len(self.shape))
