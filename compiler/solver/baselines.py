"""Thresholds that others choose, with the initial potential Vth / 2, so that only the threshold is compared."""

from __future__ import annotations

import numpy as np

from snnc.compiler.solver.error import SortedActivations, conversion_error
from snnc.compiler.solver.solution import Solution

PERCENTILE = 99.9
GRID = 100


def with_half_potential(activations: SortedActivations, threshold: float, timesteps: int) -> Solution:
    """The solution with this threshold and v0 = Vth / 2."""
    return Solution(threshold, threshold / 2, float(conversion_error(activations, threshold, timesteps)[0]))


def maximum(activations: SortedActivations, timesteps: int) -> Solution:
    """The largest activation (Diehl et al. 2015, threshold balancing)."""
    return with_half_potential(activations, activations.maximum, timesteps)


def percentile(activations: SortedActivations, timesteps: int) -> Solution:
    """The 99.9th percentile of the positive activations (Rueckauer et al. 2017)."""
    return with_half_potential(activations, float(np.percentile(activations.values, PERCENTILE)), timesteps)


def mean_square(activations: SortedActivations, timesteps: int) -> Solution:
    """The threshold of least mean square error on a grid of 100 fractions of the maximum (Li et al. 2021a)."""
    values = activations.values
    best: tuple[float, float] | None = None
    for fraction in np.arange(1, GRID + 1) / GRID:
        threshold = fraction * activations.maximum
        counts = np.clip(np.floor(timesteps * values / threshold + 0.5), 0, timesteps)
        error = float(np.square(values - counts * threshold / timesteps).sum())
        if best is None or error < best[0]:
            best = (error, float(threshold))
    assert best is not None
    return with_half_potential(activations, best[1], timesteps)
