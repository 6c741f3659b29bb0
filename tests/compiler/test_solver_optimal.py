"""The best threshold of all, squared errors and histograms, against scans and definitions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.solver import (
    arrays,
    close,
    count,
    error,
    methods,
    objectives,
    timesteps,
)

from snnc.compiler.conversion.solver import (
    METHODS,
    Distribution,
    Solution,
    conversion_error,
    search_potential,
    solve,
    solve_distributions,
    spike_counts,
)
from snnc.compiler.conversion.solver.distribution import is_ascending


@given(arrays, timesteps)
def test_optimal_is_the_best_of_all_candidates(values: list[float], steps: int) -> None:
    """The N T candidates T a / k, one by one, in exact arithmetic."""
    solution = solve(values, steps, "optimal")
    candidates = {Fraction(a) * steps / k for a in values if a > 0 for k in range(1, steps + 1)}
    best = min(error(values, each, each / 2, steps) for each in candidates)
    assert close(solution.error, best, sum(values))
    assert solution.potential == solution.threshold / 2


@given(arrays, timesteps)
def test_optimal_squares_is_the_best_of_all_parabolas(values: list[float], steps: int) -> None:
    """Between two breakpoints T a / (k - 1/2) no activation changes its spikes: the best level is known."""
    solution = solve(values, steps, "optimal", objective=2)
    positive = [Fraction(a) for a in values if a > 0]
    points = sorted({a * steps / (k - Fraction(1, 2)) for a in positive for k in range(1, steps + 1)})
    best = sum(a**2 for a in positive)
    for threshold in (*(points[0] / 2,), *((low + high) / 2 for low, high in itertools.pairwise(points))):
        spikes = [count(float(a), threshold, threshold / 2, steps) for a in positive]
        level = sum(a * n for a, n in zip(positive, spikes, strict=True)) / sum(n * n for n in spikes)
        best = min(best, sum((a - n * level) ** 2 for a, n in zip(positive, spikes, strict=True)))
    assert close(solution.error, best, sum(a * a for a in values))


@given(arrays, timesteps, objectives, st.lists(st.floats(1e-3, 1e4), min_size=50, max_size=50))
def test_no_other_threshold_and_potential_beats_optimal(values, steps: int, m: int, others: list[float]) -> None:
    best = solve(values, steps, "optimal", objective=m).error
    distribution = Distribution.of(values)
    scale = float((np.array(values) ** m).sum())
    grid = np.linspace(0, distribution.maximum * steps, 400)[1:]
    for fraction in (0.0, 0.3, 0.5, 1.0):
        for thresholds in (others, grid):
            errors = conversion_error(distribution, thresholds, steps, potential_fraction=fraction, objective=m)
            assert best <= errors.min() + 1e-12 * scale


@pytest.mark.parametrize("objective", [1, 2])
@pytest.mark.parametrize("steps", [2, 8, 64])
@pytest.mark.parametrize("kind", ["gamma", "lognormal", "uniform", "grid", "two clusters"])
def test_optimal_is_as_good_as_a_scan_of_everything(kind: str, steps: int, objective: int) -> None:
    rng = np.random.default_rng(5)
    values = {
        "gamma": lambda: rng.gamma(0.5, size=300),
        "lognormal": lambda: rng.lognormal(0, 2, 300),
        "uniform": lambda: rng.random(300),
        "grid": lambda: np.repeat(np.arange(1, 101) / 100, 3),
        "two clusters": lambda: np.concatenate([rng.normal(1, 0.01, 280), rng.normal(1000, 1, 20)]),
    }[kind]()
    ordered = Distribution.of(values)
    offset = 0 if objective == 1 else 0.5
    points = np.unique((steps * values[:, None] / (np.arange(1, steps + 1) - offset)).ravel())
    if objective == 2:
        middles = (points[:-1] + points[1:]) / 2
        spikes = np.floor(steps * values / middles[:, None] + 0.5).clip(0, steps)
        points = steps * (spikes @ values) / (spikes**2).sum(1)
    best = conversion_error(ordered, points, steps, objective=objective).min()
    found = solve(values, steps, "optimal", objective=objective).error
    assert close(found, best, (values**objective).sum() * 1e-3)


def test_optimal_of_a_million_is_no_worse_than_algorithm_2() -> None:
    values = np.abs(np.random.default_rng(0).normal(0, 1, 10**6)) ** 1.3
    optimal, sampled = solve(values, 8, "optimal"), solve(values[::10], 8)
    assert optimal.error <= conversion_error(Distribution.of(values), [sampled.threshold], 8)[0]


@pytest.mark.parametrize("size", [4095, 4096, 4097, 8191, 8192, 8193, 16384, 16385, 50_001])
@pytest.mark.parametrize("tail", [1, 2, 6])
def test_algorithm_1_compares_all_edges_of_long_arrays(size: int, tail: int) -> None:
    """Integers, so that sums are exact: all n0 by prefix sums. They do not fit into one block of the loop."""
    rng = np.random.default_rng(size)
    values = np.sort(np.ceil(rng.random(size) ** tail * 10_000))
    sums = np.concatenate(([0], np.cumsum(values)))
    edges = np.arange(size)
    medians = edges + (size - edges) // 2
    inside = sums[medians] - sums[edges]
    above = sums[size] - sums[medians]
    errors = sums[edges] + values[medians] * (2 * medians - edges - size) + above - inside
    assert solve(values, 1).error == errors.min()
    assert solve(rng.permutation(values), 1) == solve(values, 1)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.integers(0, 10_000), st.sampled_from([0, 4095, 9000]))
def test_sorted_is_what_sorting_does_not_change(few: list[float], place: int, length: int) -> None:
    values = np.concatenate((np.arange(float(length)), few, length + np.arange(5.0)))
    assert is_ascending(values) == bool((values == np.sort(values)).all())
    ordered = np.sort(values)
    assert is_ascending(ordered)
    if len(ordered) > 1:
        ordered[place % len(ordered)] = np.nan
        assert not is_ascending(ordered)


@given(arrays)
def test_at_one_step_optimal_and_algorithm_1_agree(values: list[float]) -> None:
    for m in (1, 2):
        first, second = solve(values, 1, objective=m), solve(values, 1, "optimal", objective=m)
        assert close(first.error, second.error, sum(a**m for a in values))


@given(arrays)
def test_algorithm_1_for_squares_is_the_best_of_all_firing_edges(values: list[float]) -> None:
    solution = solve(values, 1, objective=2)
    positive = sorted(Fraction(a) for a in values if a > 0)
    best = sum(a**2 for a in positive)
    for index in range(len(positive)):
        silent, firing = positive[:index], positive[index:]
        mean = sum(firing) / len(firing)
        best = min(best, sum(a**2 for a in silent) + sum((a - mean) ** 2 for a in firing))
    scale = sum(a * a for a in values)
    assert close(solution.error, best, scale)
    rates = spike_counts(values, solution.threshold, solution.potential, 1) * solution.threshold
    assert close(float(np.square(np.array(values) - rates).sum()), best, scale)


@given(arrays, st.integers(1, 100), timesteps, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_squared_error_is_its_definition(values: list[float], threshold: int, steps: int, fraction: float) -> None:
    theta = threshold * steps / 16
    (found,) = conversion_error(Distribution.of(values), [theta], steps, potential_fraction=fraction, objective=2)
    assert close(found, error(values, theta, fraction * theta, steps, 2), sum(a * a for a in values))


@given(arrays, timesteps, methods, objectives)
def test_a_histogram_gives_what_its_activations_give(values: list[float], steps: int, method: str, m: int) -> None:
    distinct, counts = np.unique(values, return_counts=True)
    histogram = Distribution.counted(distinct[::-1], counts[::-1])
    plain = Distribution.of(values)
    assert len(histogram) == len(plain) == sum(each > 0 for each in values)
    found, expected = (solve(each, steps, method, objective=m) for each in (histogram, plain))
    scale = sum(a**m for a in values)
    assert close(found.error, expected.error, scale)
    if method in ("max", "opt", "percentile"):
        assert close(found.threshold, expected.threshold)
    thresholds = np.array([0.3, 1.0, 2.5]) * max(values)
    errors = [conversion_error(each, thresholds, steps, objective=m) for each in (histogram, plain, plain.merged())]
    assert np.allclose(errors[0], errors[1], atol=1e-9 * scale) and np.allclose(errors[2], errors[1], atol=1e-9 * scale)


@given(arrays, st.floats(0.1, 2), timesteps, objectives)
def test_no_potential_beats_the_half(values: list[float], fraction: float, steps: int, m: int) -> None:
    """Theorem 4.3, for any activations, any threshold, any T and m."""
    threshold = fraction * max(values)
    distribution = Distribution.of(values)
    found = search_potential(distribution, threshold, steps, m)
    (half,) = conversion_error(distribution, [threshold], steps, objective=m)
    assert found.error >= half - 1e-9 * sum(a**m for a in values)
    searched = solve(values, steps, "optimal", objective=m, potential="search")
    assert close(searched.error, solve(values, steps, "optimal", objective=m).error, sum(a**m for a in values))


def test_a_search_for_the_potential_mends_a_method_that_starts_at_zero() -> None:
    values = np.random.default_rng(3).gamma(1.0, size=1000)
    plain, searched = solve(values, 8, "max"), solve(values, 8, "max", potential="search")
    assert plain.potential == 0 and searched.potential == pytest.approx(plain.threshold / 2, rel=0.05)
    assert searched.error < plain.error and solve(values, 8, "opt").potential == plain.threshold / 2


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e306])
@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("objective", [1, 2])
def test_extreme_activations_never_give_nan(scale: float, method: str, objective: int) -> None:
    solution = solve(np.array([1.0, 2.0, 2.5, 3.0]) * scale, 4, method, objective=objective)
    expected = solve([1.0, 2.0, 2.5, 3.0], 4, method, objective=objective)
    assert solution.threshold == pytest.approx(expected.threshold * scale, rel=1e-9)
    assert solution.potential == pytest.approx(expected.potential * scale, rel=1e-9)
    assert not math.isnan(solution.error)


def test_dead_distributions_are_dead_channels() -> None:
    living = Distribution.of([1.0, 3.0])
    assert solve_distributions([living, None], 4, "opt") == [solve(living, 4, "opt"), Solution(3.0, 1.5, 0.0)]


@pytest.mark.parametrize("size", range(1, 16))
def test_plain_and_counted_agree_at_one_step(size: int) -> None:
    """Even and odd numbers of activations take different ways."""
    values = np.arange(1.0, size + 1)
    counted = Distribution.counted(values, np.ones(size, np.int64))
    plain, weighted = solve(values, 1), solve(counted, 1)
    assert close(plain.error, weighted.error)
    assert close(plain.error, error(values.tolist(), plain.threshold, plain.potential, 1))
