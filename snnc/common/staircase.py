"""The staircase of an integrate-and-fire neuron, for numpy and torch alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    Values = TypeVar("Values", NDArray[np.float64], torch.Tensor)


def spike_counts(values: Values, threshold: Values | float, potential: Values | float, timesteps: int) -> Values:
    """Return the spikes of a neuron that receives the same value at each of T steps.

    ``clip(floor((T x + v0) / Vth), 0, T)``: equation 5 of Bojkovic et al.; the rate is Vth / T times as much.

    Args:
        values: x, any shape, in the units of the thresholds.
        threshold: Vth > 0, of a shape that broadcasts to it.
        potential: v0, 0..Vth, likewise.
        timesteps: T >= 1.

    Returns:
        0..T, of the shape and type of ``values``; torch keeps its gradient, which is 0 but at the steps.
    """
    levels = (values * timesteps + potential) / threshold
    if isinstance(levels, np.ndarray | np.floating):
        counts: NDArray[np.float64] = np.floor(levels).clip(0, timesteps)
        return counts
    return levels.floor().clamp(0, timesteps)
