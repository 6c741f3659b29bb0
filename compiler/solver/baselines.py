"""Thresholds that others choose."""

from __future__ import annotations

import numpy as np

from snnc.compiler.solver.distribution import Distribution
from snnc.compiler.solver.error import conversion_error
from snnc.compiler.solver.potential import with_potential
from snnc.compiler.solver.solution import Solution

PERCENTILE = 99.9
GRID = 100


def maximum(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """The largest activation, with v0 = 0.

    Source: Diehl et al. 2015, threshold balancing.
    """
    return with_potential(distribution, distribution.maximum, timesteps, fraction=0.0, objective=objective)


def shifted_maximum(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """The largest activation, with v0 = Vth / 2.

    Source: Deng and Gu 2021, whose bias shift of Vth / (2 T) at each step adds up to Vth / 2.
    """
    return with_potential(distribution, distribution.maximum, timesteps, objective=objective)


def percentile(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """The 99.9th percentile of the positive activations, interpolated linearly, with v0 = Vth / 2.

    Source: Rueckauer et al. 2017; the potential is ours (they start at 0).
    """
    position = (len(distribution) - 1) * (PERCENTILE / 100)
    low = int(position)
    below, above = distribution.values[distribution.group([low, min(low + 1, len(distribution) - 1)])]
    threshold = float(below + (above - below) * (position - low))
    return with_potential(distribution, threshold, timesteps, objective=objective)


def mean_square(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """The threshold of least mean square error on a grid of 100 fractions of the maximum, with v0 = Vth / 2.

    Source: Li et al. 2021a.
    """
    candidates = np.arange(1, GRID + 1) / GRID * distribution.maximum
    errors = conversion_error(distribution, candidates, timesteps, objective=2)
    return with_potential(distribution, float(candidates[np.argmin(errors)]), timesteps, objective=objective)
