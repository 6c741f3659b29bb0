"""The 99.9th percentile of the positive activations."""

from __future__ import annotations

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import with_potential

PERCENTILE = 99.9


@threshold_method("percentile", order=50, tried_with=(1,))
def percentile(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the 99.9th percentile of the positive activations, interpolated linearly, with v0 = Vth / 2.

    Source: Rueckauer et al. 2017; the potential is ours (they start at 0).
    """
    position = (len(distribution) - 1) * (PERCENTILE / 100)
    low = int(position)
    below, above = distribution.values[distribution.group([low, min(low + 1, len(distribution) - 1)])]
    threshold = float(below + (above - below) * (position - low))
    return with_potential(distribution, threshold, timesteps, objective=objective)
