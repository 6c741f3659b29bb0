"""The best threshold among the activations, by the paper."""

from __future__ import annotations

import numpy as np

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, Solution, best_median
from snnc.compiler.conversion.solver.error import conversion_error

# The paper's N_end = N - 5; of fewer than this many activations all are candidates.
LEFT_OUT, FEW = 5, 12


@threshold_method("data-driven", order=10, minimises=True, tried_with=(2, 1))
def data_driven(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the paper's choice: Algorithm 1 for T = 1, Algorithm 2 for T > 1."""
    if timesteps == 1:
        return single_step(distribution, objective)
    return several_steps(distribution, timesteps, objective)


def single_step(distribution: Distribution, objective: int = 1) -> Solution:
    """Return the threshold and potential of least error at T = 1 (paper, Theorem 4.2; docs/solver.md for the proofs).

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
    """Return all n0 in one pass, without prefix sums."""
    gain, first, median = best_median(distribution.values)
    return first, float(distribution.values[median]), float(distribution.values.sum()) - 2 * gain


def _by_weighted(distribution: Distribution) -> tuple[int, float, float]:
    """Return the same over groups: ``E(n0) = sum(a[:n0]) + sum(|a - a[n1]| for a in a[n0:])``."""
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
    """Minimise ``E(n0) = sum(a ** 2) - sum(a[n0:]) ** 2 / (N - n0)``."""
    groups = np.arange(len(distribution.values))
    rest = distribution.total - distribution.sums[:-1]
    number = len(distribution) - distribution.number(groups)
    gain = rest * (rest / number)
    best = int(np.argmax(gain))
    # Rounding may put a mean of equal values an ulp below them.
    mean = min(max(float(rest[best] / number[best]), float(distribution.values[best])), distribution.maximum)
    return best, mean, float(distribution.squares[-1] - gain[best])


def several_steps(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the best threshold among the activations, with v0 = Vth / 2 (paper, Algorithm 2 and Theorem 4.3).

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
