"""Thresholds that others choose."""

from __future__ import annotations

import numpy as np

from snnc.compiler.conversion.solver.distribution import Distribution, Solution, best_median
from snnc.compiler.conversion.solver.error import conversion_error, with_potential


def single_step(distribution: Distribution, objective: int = 1) -> Solution:
    """Threshold and potential of least error at T = 1 (paper, Theorem 4.2; docs/solver.md for the proofs).

    The neuron fires from a[n0] on. What fires is best represented by its median (m = 1) or its mean (m = 2), both of
    which are at least a[n0], so that ``Vth`` is that and ``v0 = Vth - a[n0]`` lies in 0..Vth. All n0 are compared.

    Args:
        distribution: The activations.
        objective: m, 1 or 2.
    """
    if objective == 2:
        first, threshold, error = _by_mean(distribution)
    else:
        first, threshold, error = _by_median(distribution) if distribution.is_plain else _by_weighted(distribution)
    lowest = float(distribution.values[first])
    potential = threshold - lowest
    if lowest + potential < threshold:
        # The difference was rounded down; the activation at the edge must still fire.
        potential = float(np.nextafter(potential, threshold))
    return Solution(threshold, potential, max(error, 0.0))


def _by_median(distribution: Distribution) -> tuple[int, float, float]:
    """All n0 in one pass, without prefix sums."""
    gain, first, median = best_median(distribution.values)
    return first, float(distribution.values[median]), float(distribution.values.sum()) - 2 * gain


def _by_weighted(distribution: Distribution) -> tuple[int, float, float]:
    """The same over groups: ``E(n0) = sum(a[:n0]) + sum(|a - a[n1]| for a in a[n0:])``."""
    groups = np.arange(len(distribution.values))
    sums = distribution.sums
    before = distribution.number(groups)
    median = distribution.group(before + (len(distribution) - before) // 2)
    level, inside = distribution.values[median], distribution.number(median)
    errors = distribution.total + 2 * (sums[groups] - sums[median])
    errors += level * (2 * inside - before - len(distribution))
    best = int(np.argmin(errors))
    return best, float(level[best]), float(errors[best])


def _by_mean(distribution: Distribution) -> tuple[int, float, float]:
    """``E(n0) = sum(a ** 2) - sum(a[n0:]) ** 2 / (N - n0)``."""
    groups = np.arange(len(distribution.values))
    rest = distribution.total - distribution.sums[:-1]
    number = len(distribution) - distribution.number(groups)
    gain = rest * (rest / number)
    best = int(np.argmax(gain))
    # Rounding may put a mean of equal values an ulp below them.
    mean = min(max(float(rest[best] / number[best]), float(distribution.values[best])), distribution.maximum)
    return best, mean, float(distribution.squares[-1] - gain[best])


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
