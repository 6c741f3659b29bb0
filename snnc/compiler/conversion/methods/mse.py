"""The threshold of least mean square error on a grid of 100."""

from __future__ import annotations

import numpy as np

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import conversion_error, with_potential

GRID = 100


@threshold_method("mse", order=60, objective=2)
def mean_square(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the threshold of least mean square error on a grid of 100 fractions of the maximum, with v0 = Vth / 2.

    Source: Li et al. 2021a.
    """
    candidates = np.arange(1, GRID + 1) / GRID * distribution.maximum
    errors = conversion_error(distribution, candidates, timesteps, objective=2)
    return with_potential(distribution, float(candidates[np.argmin(errors)]), timesteps, objective=objective)
