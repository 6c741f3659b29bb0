"""The conversion error of an integrate-and-fire neuron under constant input (paper, section 4.1.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class SortedActivations:
    """Positive activations in ascending order with their prefix sums: what every search needs.

    Zeros are left out: whatever the threshold, a neuron answers them with no spike and no error (as long as
    v0 < Vth).

    Args:
        activations: Any shape, finite, any sign; values <= 0 are dropped.

    Raises:
        ValueError: A value is NaN or infinite, or none is positive.
    """

    def __init__(self, activations: ArrayLike) -> None:
        values = np.asarray(activations, dtype=np.float64).ravel()
        if not np.isfinite(values).all():
            raise ValueError(f"activations must be finite, found {values[~np.isfinite(values)][0]}")
        values = values[values > 0]
        if not values.size:
            raise ValueError("expected at least one positive activation, found none")
        values.sort()
        self.values: FloatArray = values
        self.prefix: FloatArray = np.concatenate(([0.0], np.cumsum(values)))

    def __len__(self) -> int:
        """Number of positive activations."""
        return len(self.values)

    @property
    def maximum(self) -> float:
        """The largest activation."""
        return float(self.values[-1])

    def distance(self, start: NDArray[np.intp], stop: NDArray[np.intp], level: FloatArray) -> FloatArray:
        """Sum of |a - level| over the activations start..stop-1, elementwise over three arrays of one shape."""
        middle = np.clip(np.searchsorted(self.values, level), start, stop)
        below = level * (middle - start) - (self.prefix[middle] - self.prefix[start])
        above = self.prefix[stop] - self.prefix[middle] - level * (stop - middle)
        return np.asarray(below + above)


def spike_counts(activations: ArrayLike, threshold: float, potential: float, timesteps: int) -> NDArray[np.int64]:
    """Spikes of a neuron that receives the same activation at each of T steps: clip(floor((T a + v0) / Vth), 0, T)."""
    values = np.asarray(activations, dtype=np.float64)
    counts: NDArray[np.int64] = np.floor((timesteps * values + potential) / threshold).astype(np.int64)
    return counts.clip(0, timesteps)


def conversion_error(
    activations: SortedActivations, thresholds: ArrayLike, timesteps: int, *, potential_fraction: float = 0.5
) -> FloatArray:
    """Sum of |activation - rate| for each threshold, exact, in O(T log N) each.

    With v0 = f Vth the neuron answers with k spikes where ``(k - f) Vth / T <= a < (k + 1 - f) Vth / T``, and the
    prefix sums give the distance of each such run of activations to its level ``k Vth / T``.

    Args:
        activations: Sorted activations.
        thresholds: (candidates,), > 0.
        timesteps: T >= 1.
        potential_fraction: f = v0 / Vth, 0..1.

    Returns:
        (candidates,) float64.
    """
    candidates = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    total = np.zeros_like(candidates)
    start = np.zeros(candidates.shape, dtype=np.intp)
    for spikes in range(timesteps + 1):
        if spikes < timesteps:
            edge = (spikes + 1 - potential_fraction) * candidates / timesteps
            stop = np.maximum(np.searchsorted(activations.values, edge), start)
        else:
            stop = np.full_like(start, len(activations))
        total += activations.distance(start, stop, spikes * candidates / timesteps)
        start = stop
    return total
