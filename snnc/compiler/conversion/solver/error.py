"""The error that thresholds make on a distribution, and the initial potential: Vth / 2 by Theorem 4.3, or by search."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnc.common import staircase
from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.solver.distribution import Distribution, Solution

# Candidates are judged in blocks of so many levels, so that memory stays bounded and the work in the caches.
BLOCK = 1 << 16


def spike_counts(
    activations: ArrayLike, threshold: ArrayLike, potential: ArrayLike, timesteps: int
) -> NDArray[np.int64]:
    """Return a neuron's spikes for the same activation at each of T steps: clip(floor((T a + v0) / Vth), 0, T).

    Args:
        activations: Any shape.
        threshold: Vth > 0, of a shape that broadcasts to it.
        potential: v0, 0..Vth, likewise.
        timesteps: T >= 1.

    Returns:
        0..T, in the shape of the activations (paper, equation 5: the rate is Vth times this, divided by T).
    """
    values = np.asarray(activations, dtype=np.float64)
    counts = staircase.spike_counts(values, np.asarray(threshold), np.asarray(potential), timesteps)
    return np.asarray(counts, dtype=np.int64)


def conversion_error(
    distribution: Distribution,
    thresholds: ArrayLike,
    timesteps: int,
    *,
    potential_fraction: float = 0.5,
    objective: int = 1,
) -> FloatArray:
    """Return the sum of |activation - rate| ** m for each threshold, exact, in O(T log N) each.

    With v0 = f Vth the neuron answers with k spikes where ``(k - f) Vth / T <= a < (k + 1 - f) Vth / T``, and prefix
    sums give the distance of each such run of activations to its level ``k Vth / T``.

    Args:
        distribution: The activations.
        thresholds: (candidates,), > 0.
        timesteps: T >= 1.
        potential_fraction: f = v0 / Vth, 0..1.
        objective: m, 1 or 2.

    Returns:
        (candidates,), >= 0; in units of the activations to the power m.
    """
    candidates = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    block = max(1, BLOCK // timesteps)
    errors = np.empty(candidates.shape)
    judge = _absolute if objective == 1 else _squared
    for begin in range(0, len(candidates), block):
        part = candidates[begin : begin + block]
        errors[begin : begin + block] = judge(distribution, part, timesteps, potential_fraction)
    return np.maximum(errors, 0)


def edges(distribution: Distribution, thresholds: FloatArray, timesteps: int, fraction: float) -> NDArray[np.intp]:
    """Return the first group that makes k spikes, (candidates, T), for k = 1..T."""
    spikes = np.arange(1, timesteps + 1)
    return distribution.below((spikes - fraction) * (thresholds[:, None] / timesteps))


def _absolute(distribution: Distribution, thresholds: FloatArray, timesteps: int, fraction: float) -> FloatArray:
    first = edges(distribution, thresholds, timesteps, fraction)
    last = np.concatenate((first[:, 1:], np.full((len(first), 1), len(distribution.values))), axis=1)
    levels = np.arange(1, timesteps + 1) * (thresholds[:, None] / timesteps)
    middle = np.clip(distribution.below(levels), first, last)
    sums, number = distribution.sums, distribution.number
    distance = sums[last] + sums[first] - 2 * sums[middle]
    distance += levels * (2 * number(middle) - number(first) - number(last))
    silent = sums[first[:, 0]]
    return np.asarray(silent + distance.sum(1))


def _squared(distribution: Distribution, thresholds: FloatArray, timesteps: int, fraction: float) -> FloatArray:
    product, square = spike_sums(distribution, thresholds, timesteps, fraction)
    unit = thresholds / timesteps
    return np.asarray(distribution.squares[-1] - unit * (2 * product - unit * square))


def spike_sums(
    distribution: Distribution, thresholds: FloatArray, timesteps: int, fraction: float = 0.5
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of a n and n ** 2 over the activations a, each making n spikes; both (candidates,)."""
    first = edges(distribution, thresholds, timesteps, fraction)
    spikes = np.arange(1, timesteps + 1)
    product = (distribution.total - distribution.sums[first]).sum(1)
    square = ((2 * spikes - 1) * (len(distribution) - distribution.number(first))).sum(1)
    return product, square.astype(np.float64)


# Fractions of Vth that a search tries: 0, 1/64 .. 1; they hold 1/2 exactly.
FRACTIONS = 64


def with_potential(
    distribution: Distribution, threshold: float, timesteps: int, *, fraction: float = 0.5, objective: int = 1
) -> Solution:
    """Return the solution with this threshold and v0 = fraction * Vth."""
    errors = conversion_error(distribution, [threshold], timesteps, potential_fraction=fraction, objective=objective)
    return Solution(threshold, threshold * fraction, float(errors[0]))


def search_potential(distribution: Distribution, threshold: float, timesteps: int, objective: int = 1) -> Solution:
    """Return the best of 65 potentials from 0 to Vth for this threshold.

    Whatever the activations, none is better than Vth / 2 (paper, Theorem 4.3; docs/solver.md has a proof for every T
    and m): the search is there to see that. Of potentials that are equally good the nearest to Vth / 2 is taken.

    Args:
        distribution: The activations.
        threshold: Vth > 0.
        timesteps: T >= 1.
        objective: m, 1 or 2.
    """
    fractions = sorted(np.arange(FRACTIONS + 1) / FRACTIONS, key=lambda each: abs(each - 0.5))
    return min(
        (
            with_potential(distribution, threshold, timesteps, fraction=float(each), objective=objective)
            for each in fractions
        ),
        key=lambda solution: solution.error,
    )
