"""A mergeable histogram of activations: any number of them in constant memory, in any order, with a bounded error."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.solver.counting import Bins, ChannelValues
from snnc.compiler.conversion.solver.distribution import Distribution

# A bin is a float32's sign, exponent and leading bits of the significand: bfloat16's, 128 bins for each octave.
MANTISSA = 7
SHIFT = 23 - MANTISSA
PER_OCTAVE = 1 << MANTISSA
# An activation differs from the middle of its bin by at most this, relative to itself.
RELATIVE_ERROR = 2.0 ** -(MANTISSA + 1)

# Up to so many steps a level is at least two bins wide, so that bins can be stood for by their middles.
STEPS_PER_POINT = 64


class ActivationSketch:
    """Counts of activations by their leading bits, for each channel.

    Its state is integers and maxima, so that it depends only on what was added, never on the order or on how it was
    spread over several sketches that were merged. Bins cover the octaves from the least to the greatest that occurred,
    128 each: at most 254 octaves, in practice about 25, which is 13 kB for a channel. Activations below 2 ** -126 count
    as zero.

    Args:
        channels: Number of channels, >= 1.

    Attributes:
        total: Values added for each channel, zeros included.
        maximum: (channels,) float32, the largest value of each channel, exact; 0 where none was positive.
        octave: The first octave that occurred: its values lie in ``2 ** (octave - 127)`` .. twice that.
        counts: (channels, 128 * octaves) int32, or int64 once there are more values than that holds.
    """

    def __init__(self, channels: int) -> None:
        if channels < 1:
            raise ValueError(f"channels: expected at least 1, found {channels}")
        self.total = 0
        self.maximum: NDArray[np.float32] = np.zeros(channels, np.float32)
        self.octave = 0
        self.counts: NDArray[np.int32] | NDArray[np.int64] = np.zeros((channels, 0), np.int32)

    def __len__(self) -> int:
        """Return the number of channels."""
        return len(self.maximum)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ActivationSketch)
            and (self.total, self.octave) == (other.total, other.octave)
            and np.array_equal(self.maximum, other.maximum)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def octaves(self) -> int:
        """How many octaves are covered."""
        return self.counts.shape[1] // PER_OCTAVE

    def add(self, values: NDArray[np.float32] | NDArray[np.float64] | torch.Tensor, *, axis: int = 0) -> None:
        """Add activations.

        Args:
            values: Any shape of two axes or more, finite, >= 0; what is not float32 is rounded to it.
            axis: Which axis is that of the channels, >= 0.

        Raises:
            ValueError: The shape does not fit; a value is NaN, negative, or infinite in float32. The place that is told
                is (channel, position among its values in order).
        """
        shape = tuple(values.shape)
        if len(shape) < 2 or not 0 <= axis < len(shape) or shape[axis] != len(self):
            places = ", ".join(str(len(self)) if each == axis else "values" for each in range(max(2, len(shape))))
            raise ValueError(f"activations: expected shape ({places}), found {shape}")
        self.add_values(ChannelValues(values, axis))

    def add_values(self, values: ChannelValues, *, rectified: bool = False) -> None:
        """Add activations whose range may have been looked at already.

        Args:
            values: Of as many channels, finite, >= 0.
            rectified: They are a ReLU's input instead: what is negative counts as zero.

        Raises:
            ValueError: A value is NaN, infinite or, unless rectified, negative; with its place as :meth:`add` tells it.
        """
        if not values.per_channel:
            return
        low, high, normal = values.ranges
        valid = np.isfinite(high).all() and (not np.isnan(low).any() if rectified else (low >= 0).all())
        if not valid:
            raise ValueError(_first_bad(values, rectified=rectified))
        np.maximum(self.maximum, high + np.float32(0), out=self.maximum)
        self.expect(values.per_channel)
        self.total += values.per_channel
        if np.isnan(normal):
            return
        first, last = (int(np.float32(each).view(np.int32)) >> MANTISSA + SHIFT for each in (normal, high.max()))
        self.cover(first, last + 1)
        bins, start = (last + 1 - first) << MANTISSA, (first - self.octave) << MANTISSA
        values.count(Bins(SHIFT, first << MANTISSA, bins, start), self.counts)

    def expect(self, number: int) -> None:
        """Make room for so many values more of each channel."""
        if self.total + number > np.iinfo(self.counts.dtype).max:
            self.counts = self.counts.astype(np.int64)

    def cover(self, first: int, end: int) -> None:
        """Make room for octaves, beside those that are covered already.

        Args:
            first: The lowest, by the exponent of its float32.
            end: One above the highest.
        """
        if self.octaves:
            first, end = min(first, self.octave), max(end, self.octave + self.octaves)
        if (first, end) == (self.octave, self.octave + self.octaves):
            return
        shape = (len(self), (end - first) << MANTISSA)
        wider: NDArray[np.int32] | NDArray[np.int64]
        wider = np.zeros(shape, np.int64) if self.counts.dtype == np.int64 else np.zeros(shape, np.int32)
        if self.octaves:
            start = (self.octave - first) << MANTISSA
            wider[:, start : start + self.counts.shape[1]] = self.counts
        self.octave, self.counts = first, wider

    def merge(self, other: ActivationSketch) -> None:
        """Add what another sketch counted.

        Raises:
            ValueError: It has another number of channels.
        """
        if len(other) != len(self):
            raise ValueError(f"expected a sketch of {len(self)} channels, found {len(other)}")
        self.expect(other.total)
        self.total += other.total
        np.maximum(self.maximum, other.maximum, out=self.maximum)
        if other.octaves:
            self.cover(other.octave, other.octave + other.octaves)
            start = (other.octave - self.octave) << MANTISSA
            self.counts[:, start : start + other.counts.shape[1]] += other.counts

    def distributions(self, timesteps: int = 1) -> list[Distribution | None]:
        """Return the distribution of each channel, as the solver takes it.

        Args:
            timesteps: T that thresholds are sought for. Above 64, where levels come near the bins in width, a bin's
                activations are spread evenly over it instead of all lying in its middle.

        Returns:
            One for each channel; None: no positive activation.
        """
        return [
            self._distribution(counts, float(maximum), timesteps)
            for counts, maximum in zip(self.counts, self.maximum, strict=True)
        ]

    def distribution(self, timesteps: int = 1) -> Distribution | None:
        """Return the distribution of all channels together; otherwise as :meth:`distributions`."""
        return self._distribution(self.counts.sum(axis=0), float(self.maximum.max()), timesteps)

    def _distribution(self, counts: NDArray[np.integer[Any]], maximum: float, timesteps: int) -> Distribution | None:
        occupied = np.flatnonzero(counts)
        if not occupied.size:
            return None
        number = counts[occupied].astype(np.int64)
        points = np.minimum(-(-timesteps // STEPS_PER_POINT), number)
        values, shares = _spread(occupied + (self.octave << MANTISSA), number, points)
        values = np.minimum(values, maximum)
        # One activation of the last bin is known exactly.
        shares[-1] -= 1
        return Distribution.counted(np.append(values, maximum), np.append(shares, 1))


def _spread(
    bins: NDArray[np.intp], counts: NDArray[np.int64], points: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return each bin's activations as a number of points, in the middles of equal parts; the remainder at its end."""
    exponents, significands = (bins >> MANTISSA) - 127, (bins & (PER_OCTAVE - 1)) / PER_OCTAVE
    lower = np.ldexp(1 + significands, exponents)
    width = np.ldexp(1 / PER_OCTAVE, exponents)
    place = np.arange(points.sum()) - np.repeat(np.cumsum(points) - points, points)
    each = np.repeat(points, points)
    values = np.repeat(lower, points) + np.repeat(width, points) * (place + 0.5) / each
    share, rest = np.divmod(counts, points)
    return values, np.repeat(share, points) + (place >= each - np.repeat(rest, points))


def _first_bad(values: ChannelValues, *, rectified: bool) -> str:
    rows = values.tensor.movedim(values.axis, 0).flatten(1)
    bad = torch.isnan(rows) | (rows == torch.inf)
    if not rectified:
        bad |= rows < 0
    channel, position = (int(each) for each in bad.nonzero()[0])
    value = float(rows[channel, position])
    return f"activations[{channel}, {position}]: expected a finite activation >= 0, found {value}"
