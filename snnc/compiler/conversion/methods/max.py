"""The largest activation, with v0 = 0."""

from __future__ import annotations

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import with_potential


@threshold_method("max", order=30)
def maximum(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the largest activation, with v0 = 0.

    Source: Diehl et al. 2015, threshold balancing.
    """
    return with_potential(distribution, distribution.maximum, timesteps, fraction=0.0, objective=objective)
