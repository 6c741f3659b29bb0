"""One interface to all methods: by name, for one array, for each channel, or for distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from snnc.compiler.conversion.methods import METHODS
from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import search_potential

# Beyond, squares and sums would leave the range of float64: such activations are solved scaled.
LARGE, SMALL = 2.0**300, 2.0**-300


OBJECTIVES = (1, 2)
POTENTIALS = ("method", "search")


def solve(
    activations: ArrayLike | Distribution,
    timesteps: int,
    method: str = "data-driven",
    *,
    objective: int = 1,
    potential: str = "method",
) -> Solution:
    """Return the threshold and initial potential for one distribution of activations.

    Args:
        activations: Any shape, finite, >= 0; zeros do not count.
        timesteps: T >= 1.
        method: A key of ``METHODS``.
        objective: m, 1 or 2: what the error sums is |activation - rate| ** m (paper, equation 9). The searches
            minimise it; for baselines it only says what ``Solution.error`` is.
        potential: ``method``: v0 as the method says; ``search``: the best of 65 potentials for its threshold.

    Raises:
        ValueError: There are no activations, one is NaN, infinite or negative, or none is positive; T < 1; method,
            objective or potential are unknown.
    """
    _check(timesteps, method, objective, potential)
    distribution = activations if isinstance(activations, Distribution) else Distribution.of(activations)
    return _solve(distribution, timesteps, method, objective, potential)


def solve_channels(
    activations: ArrayLike,
    timesteps: int,
    method: str = "data-driven",
    *,
    objective: int = 1,
    potential: str = "method",
    axis: int = 0,
) -> list[Solution]:
    """Return the threshold and initial potential for each channel.

    Args:
        activations: (channels, values), or any shape of two axes or more.
        timesteps: T >= 1.
        method: A key of ``METHODS``.
        objective: As for :func:`solve`.
        potential: As for :func:`solve`.
        axis: Which axis is that of the channels; negative ones count from the end.

    Returns:
        One solution for each channel; dead ones as for :func:`solve_distributions`.

    Raises:
        ValueError: As :func:`solve`, but for dead channels; or there is no such axis.
    """
    _check(timesteps, method, objective, potential)
    values = np.asarray(activations)
    if values.ndim < 2:
        raise ValueError(f"activations: expected axes (channels, values), found shape {values.shape}")
    if not -values.ndim <= axis < values.ndim:
        raise ValueError(f"activations: expected a channel axis below {values.ndim}, found axis {axis}")
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1) if values.size else np.zeros((0, 0))
    if not rows.size:
        raise ValueError(f"activations: expected at least one in each channel, found shape {values.shape}")
    # A row of zeros is a dead channel; anything else that is not positive is an error that Distribution tells.
    distributions = [
        Distribution.of(row, f"activations of channel {index}") if row.any() else None for index, row in enumerate(rows)
    ]
    return solve_distributions(distributions, timesteps, method, objective=objective, potential=potential)


def solve_distributions(
    distributions: Sequence[Distribution | None],
    timesteps: int,
    method: str = "data-driven",
    *,
    objective: int = 1,
    potential: str = "method",
) -> list[Solution]:
    """Return the threshold and initial potential for each distribution.

    A dead channel, one without a positive activation, gets the largest threshold among the others with v0 = Vth / 2
    (1 and 1/2 where all are dead): its weights then stay small beside theirs, so that it costs them no precision, and
    it fires only for an input that would be large for any channel.

    Args:
        distributions: One for each channel; None: it is dead.
        timesteps: T >= 1.
        method: A key of ``METHODS``.
        objective: As for :func:`solve`.
        potential: As for :func:`solve`.

    Raises:
        ValueError: T < 1; method, objective or potential are unknown.
    """
    _check(timesteps, method, objective, potential)
    solutions = [each and _solve(each, timesteps, method, objective, potential) for each in distributions]
    largest = max((solution.threshold for solution in solutions if solution), default=1.0)
    return [solution or Solution(largest, largest / 2, 0.0) for solution in solutions]


def _solve(distribution: Distribution, timesteps: int, method: str, objective: int, potential: str) -> Solution:
    if not SMALL < distribution.maximum < LARGE:
        exponent = math.frexp(distribution.maximum)[1]
        # Twice, since 2 ** -exponent may itself be out of range.
        halves = (-(exponent // 2), -(exponent - exponent // 2))
        scaled = distribution.scaled(2.0 ** halves[0]).scaled(2.0 ** halves[1])
        unscaled = _solve(scaled, timesteps, method, objective, potential)
        threshold = _ldexp(unscaled.threshold, exponent)
        start = _ldexp(unscaled.potential, exponent)
        if not 0 < threshold < math.inf:
            raise ValueError(
                f"activations: no threshold in the range of float64, the largest is {distribution.maximum}"
            )
        return Solution(threshold, start, _ldexp(unscaled.error, exponent * objective))
    solution = METHODS[method](distribution, timesteps, objective)
    if potential == "search":
        solution = search_potential(distribution, solution.threshold, timesteps, objective)
    return solution


def _ldexp(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.inf


def _check(timesteps: int, method: str, objective: int, potential: str) -> None:
    if timesteps < 1:
        raise ValueError(f"timesteps: expected at least 1, found {timesteps}")
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method}")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective: expected 1 or 2, found {objective}")
    if potential not in POTENTIALS:
        raise ValueError(f"potential: expected one of {', '.join(POTENTIALS)}, found {potential}")
