"""One interface to all searches: by name, for one array or for each channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from snnc.compiler.solver.baselines import maximum, mean_square, percentile
from snnc.compiler.solver.data_driven import data_driven
from snnc.compiler.solver.error import SortedActivations
from snnc.compiler.solver.solution import Solution

Method = Callable[[SortedActivations, int], Solution]

METHODS: Mapping[str, Method] = MappingProxyType(
    {"data-driven": data_driven, "max": maximum, "percentile": percentile, "mse": mean_square}
)


def solve(activations: ArrayLike, timesteps: int, method: str = "data-driven") -> Solution:
    """Threshold and initial potential for one distribution of activations.

    Args:
        activations: Any shape, finite; values <= 0 do not count.
        timesteps: T >= 1.
        method: A key of ``METHODS``.

    Raises:
        ValueError: No activation is positive, one is not finite, T < 1, or the method is unknown.
    """
    _check(timesteps, method)
    return METHODS[method](SortedActivations(activations), timesteps)


def _check(timesteps: int, method: str) -> None:
    if timesteps < 1:
        raise ValueError(f"timesteps must be at least 1, found {timesteps}")
    if method not in METHODS:
        raise ValueError(f"expected a method among {', '.join(METHODS)}, found {method}")


def solve_channels(activations: ArrayLike, timesteps: int, method: str = "data-driven") -> list[Solution]:
    """Threshold and initial potential for each row.

    A dead channel, one without a positive activation, gets the largest threshold among the others with v0 = Vth / 2
    (1 and 1/2 where all are dead): its weights then stay small beside theirs, so that it costs them no precision, and
    it fires only for an input that would be large for any channel.

    Args:
        activations: (channels, values).
        timesteps: T >= 1.
        method: A key of ``METHODS``.

    Returns:
        One solution for each channel.

    Raises:
        ValueError: As :func:`solve`, but for dead channels.
    """
    _check(timesteps, method)
    rows = np.asarray(activations)
    if rows.ndim != 2:
        raise ValueError(f"expected axes (channels, values), found shape {rows.shape}")
    solutions = [None if np.all((row <= 0) & np.isfinite(row)) else solve(row, timesteps, method) for row in rows]
    largest = max((solution.threshold for solution in solutions if solution), default=1.0)
    return [solution or Solution(largest, largest / 2, 0.0) for solution in solutions]
