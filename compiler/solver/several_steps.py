"""Algorithm 2 of the paper: for T > 1, the best threshold among the activations."""

from __future__ import annotations

import numpy as np

from snnc.compiler.solver.distribution import Distribution
from snnc.compiler.solver.error import conversion_error
from snnc.compiler.solver.solution import Solution

# The paper's N_end = N - 5; of fewer than this many activations all are candidates.
LEFT_OUT, FEW = 5, 12


def several_steps(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """The best threshold among the activations, with v0 = Vth / 2 (paper, Algorithm 2 and Theorem 4.3).

    Candidates are the activations from the median up to the sixth largest, the paper's N_start = N // 2 and
    N_end = N - 5 (section 8.3); of fewer than 12 activations all are candidates.

    Args:
        distribution: The activations.
        timesteps: T >= 1.
        objective: m, 1 or 2.
    """
    count = len(distribution)
    start, stop = (count // 2, count - LEFT_OUT) if count >= FEW else (0, count)
    first, last = distribution.group([start, stop - 1])
    candidates = distribution.values[first : last + 1]
    errors = conversion_error(distribution, candidates, timesteps, objective=objective)
    best = int(np.argmin(errors))
    threshold = float(candidates[best])
    return Solution(threshold, threshold / 2, float(errors[best]))
