"""The paper's data-driven thresholds: Algorithm 1 for T = 1, Algorithm 2 for T > 1."""

from __future__ import annotations

import numpy as np

from snnc.compiler.solver.error import SortedActivations, conversion_error
from snnc.compiler.solver.solution import Solution

# Candidates are judged in blocks, so that memory stays bounded whatever the number of activations.
BLOCK = 1 << 18


def data_driven(activations: SortedActivations, timesteps: int) -> Solution:
    """The threshold and potential of least conversion error, by the algorithm that fits T."""
    return single_step(activations) if timesteps == 1 else several_steps(activations, timesteps)


def single_step(activations: SortedActivations) -> Solution:
    """Algorithm 1: the exact optimum for T = 1, in linear time once sorted.

    By Theorem 4.2 the optimum is at ``Vth = a[n1]``, ``v0 = a[n1] - a[n0]`` with ``n1 = n0 + (N - n0) // 2``: the
    neuron fires from a[n0] on, and its level is the median of what fires. All N pairs are compared by prefix sums:
    ``E(n0) = sum(a[:n0]) + sum(|a - a[n1]| for a in a[n0:])``.
    """
    count = len(activations)
    first = np.arange(count)
    median = first + (count - first) // 2
    level = activations.values[median]
    below = level * (median - first) - (activations.prefix[median] - activations.prefix[first])
    above = activations.prefix[count] - activations.prefix[median] - level * (count - median)
    errors = activations.prefix[first] + below + above
    best = int(np.argmin(errors))
    threshold = float(level[best])
    return Solution(threshold, threshold - float(activations.values[best]), float(errors[best]))


def several_steps(activations: SortedActivations, timesteps: int) -> Solution:
    """Algorithm 2: the best threshold among the activations, with v0 = Vth / 2 (Theorem 4.3).

    Candidates are the activations from the median up to the sixth largest, the paper's N_start = N // 2 and
    N_end = N - 5 (section 8.3); of fewer than 12 activations all are candidates.
    """
    count = len(activations)
    start, stop = (count // 2, count - 5) if count >= 12 else (0, count)
    best: tuple[float, float] | None = None
    for begin in range(start, stop, BLOCK):
        candidates = activations.values[begin : min(begin + BLOCK, stop)]
        errors = conversion_error(activations, candidates, timesteps)
        index = int(np.argmin(errors))
        if best is None or errors[index] < best[0]:
            best = (float(errors[index]), float(candidates[index]))
    assert best is not None
    error, threshold = best
    return Solution(threshold, threshold / 2, error)
