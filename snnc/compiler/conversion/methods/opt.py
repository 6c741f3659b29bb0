"""The largest activation, with v0 = Vth / 2."""

from __future__ import annotations

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import with_potential


@threshold_method("opt", order=40)
def shifted_maximum(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the largest activation, with v0 = Vth / 2.

    Source: Deng and Gu 2021, whose bias shift of Vth / (2 T) at each step adds up to Vth / 2.
    """
    return with_potential(distribution, distribution.maximum, timesteps, objective=objective)
