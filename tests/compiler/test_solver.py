"""Thresholds and potentials against brute force from the paper's definitions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.conversion.solver import (
    METHODS,
    Distribution,
    Solution,
    conversion_error,
    search_potential,
    solve,
    solve_channels,
    solve_distributions,
    spike_counts,
)
from snnc.compiler.conversion.solver.distribution import is_ascending

# Multiples of 1/8: sums and differences are exact, so ties are ties.
eighths = st.integers(0, 80).map(lambda each: each / 8)
activations = st.lists(eighths, min_size=1, max_size=24).filter(lambda each: max(each) > 0)
real_activations = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40)
timesteps = st.sampled_from([1, 2, 3, 4, 7, 8, 16])
objectives = st.sampled_from([1, 2])
methods = st.sampled_from(sorted(METHODS))


def count(a: float, threshold: float, potential: float, steps: int) -> int:
    """Spikes of a neuron, step by step, in exact arithmetic."""
    v, theta, a = Fraction(potential), Fraction(threshold), Fraction(a)
    spikes = 0
    for _ in range(steps):
        v += a
        if v >= theta:
            v -= theta
            spikes += 1
    return spikes


def error(values, threshold: float | Fraction, potential: float | Fraction, steps: int, m: int = 1) -> Fraction:
    """Sum of |activation - rate| ** m over the positive activations."""
    level = Fraction(threshold) / steps
    rates = {a: count(a, threshold, potential, steps) * level for a in values if a > 0}
    return sum((abs(Fraction(a) - rates[a]) ** m for a in values if a > 0), Fraction(0))


def close(found: float, expected: float | Fraction, scale: float = 0.0) -> bool:
    return math.isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-9 * (scale or 1))


@given(activations)
def test_algorithm_1_is_the_best_of_all_pairs(values: list[float]) -> None:
    solution = solve(values, 1)
    positive = sorted({each for each in values if each > 0})
    # Theorem 4.2: threshold and firing level are activations; all pairs with 0 <= v0 <= Vth.
    best = min(error(values, high, high - low, 1) for high in positive for low in positive if low <= high)
    assert close(solution.error, best)
    assert close(float(error(values, solution.threshold, solution.potential, 1)), solution.error)


@given(activations, st.integers(1, 200), st.integers(0, 200))
def test_no_other_threshold_and_potential_beats_algorithm_1(values: list[float], high: int, low: int) -> None:
    threshold = high / 16
    potential = min(low / 16, threshold)
    assert solve(values, 1).error <= float(error(values, threshold, potential, 1)) + 1e-9


@given(activations, timesteps.filter(lambda each: each > 1))
def test_algorithm_2_is_the_best_of_its_candidates(values: list[float], steps: int) -> None:
    solution = solve(values, steps)
    positive = sorted(each for each in values if each > 0)
    # Paper, section 8.3: N_start = N // 2, N_end = N - 5; everything where there are too few.
    candidates = positive[len(positive) // 2 : len(positive) - 5] if len(positive) >= 12 else positive
    best = min(error(values, each, each / 2, steps) for each in candidates)
    assert solution.threshold in candidates
    assert solution.potential == solution.threshold / 2
    assert close(solution.error, best)
    assert close(float(error(values, solution.threshold, solution.potential, steps)), best)


@given(activations, st.integers(1, 100), timesteps, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_conversion_error_is_its_definition(values: list[float], threshold: int, steps: int, fraction: float) -> None:
    # Thresholds that T divides: then every level and edge is exact.
    theta = threshold * steps / 16
    (found,) = conversion_error(Distribution.of(values), [theta], steps, potential_fraction=fraction)
    assert close(found, error(values, theta, fraction * theta, steps))


@given(real_activations, st.lists(st.floats(1e-3, 2e3), min_size=1, max_size=5), timesteps)
def test_conversion_error_of_several_thresholds_is_that_of_each(values, thresholds, steps: int) -> None:
    ordered = Distribution.of(values)
    together = conversion_error(ordered, thresholds, steps)
    assert together.shape == (len(thresholds),)
    for threshold, found in zip(thresholds, together, strict=True):
        assert found == conversion_error(ordered, threshold, steps)[0]
        rates = spike_counts(values, threshold, threshold / 2, steps) * threshold / steps
        assert close(found, float(np.abs(np.asarray(values) - rates).sum()), sum(values))


@given(activations, st.integers(1, 64), st.integers(0, 64), timesteps)
def test_spike_counts_are_those_of_the_neuron(values: list[float], threshold: int, potential: int, steps: int) -> None:
    theta, start = threshold / 8, min(potential, threshold) / 8
    expected = [count(max(each, 0), theta, start, steps) for each in values]
    found = spike_counts(np.maximum(values, 0), theta, start, steps)
    assert found.dtype == np.int64 and found.tolist() == expected


@given(real_activations, timesteps, methods, st.integers(-20, 20))
def test_scaling_the_activations_scales_the_solution(values, steps: int, method: str, power: int) -> None:
    factor = 2.0**power
    plain, scaled = solve(values, steps, method), solve(np.array(values) * factor, steps, method)
    assert scaled.threshold == plain.threshold * factor
    assert scaled.potential == plain.potential * factor
    assert close(scaled.error, plain.error * factor, factor * sum(values))


@given(activations, timesteps, methods, st.randoms(use_true_random=False))
def test_order_zeros_and_shape_do_not_count(values: list[float], steps: int, method: str, random) -> None:
    others = [*values, 0.0, 0.0, -0.0]
    random.shuffle(others)
    assert solve(others, steps, method) == solve(values, steps, method)
    assert solve(np.array(others).reshape(1, -1, 1), steps, method) == solve(values, steps, method)


@given(real_activations, timesteps, methods)
def test_every_method_answers_in_range_and_tells_its_error(values, steps: int, method: str) -> None:
    before = np.array(values)
    solution = solve(before, steps, method)
    assert before.tolist() == values, "the activations were changed"
    assert 0 < solution.threshold <= max(values) * (steps if method == "optimal" else 1) * (1 + 1e-12)
    assert 0 <= solution.potential <= solution.threshold
    assert all(isinstance(each, float) for each in (solution.threshold, solution.potential, solution.error))
    if solution.potential == 0:
        return  # activations lie on the levels, and these are edges: rounding decides
    rates = spike_counts(values, solution.threshold, solution.potential, steps) * solution.threshold / steps
    assert close(solution.error, float(np.abs(np.array(values) - rates).sum()), sum(values))


@given(st.floats(1e-3, 1e3), st.integers(1, 40), timesteps)
def test_a_constant_is_represented_exactly(value: float, copies: int, steps: int) -> None:
    solution = solve([value] * copies, steps)
    assert solution.threshold == value and close(solution.error, 0, value * copies)


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_float32_gives_what_its_values_in_float64_give(steps: int) -> None:
    values = np.random.default_rng(0).gamma(0.5, size=1000).astype(np.float32)
    assert solve(values, steps) == solve(values.astype(np.float64), steps)


@pytest.mark.parametrize("steps", [2, 4, 64])
def test_the_five_largest_are_never_a_threshold_where_there_is_time(steps: int) -> None:
    values = np.concatenate([np.random.default_rng(1).uniform(0.5, 1, 5000), [1e6, 1e7, 1e8, 1e9, 1e12]])
    assert 0.5 <= solve(values, steps).threshold <= 1


def test_the_baselines_are_what_they_are_called() -> None:
    values = np.random.default_rng(2).gamma(1.0, size=4000)
    assert solve(values, 8, "max").threshold == values.max()
    assert solve(values, 8, "percentile").threshold == pytest.approx(np.percentile(values, 99.9))
    squares = {}
    for fraction in np.arange(1, 101) / 100:
        threshold = fraction * values.max()
        rates = spike_counts(values, threshold, threshold / 2, 8) * threshold / 8
        squares[threshold] = ((values - rates) ** 2).sum()
    assert solve(values, 8, "mse").threshold == pytest.approx(min(squares, key=squares.get))


def test_the_reference_figure() -> None:
    """|N(0, 1)| ** 1.3, ten million of them: Vth 1.19808, v0 0.59904 (prototypes)."""
    values = np.abs(np.random.default_rng(0).normal(0, 1, 10**7)) ** 1.3
    solution = solve(values, 1)
    assert solution.threshold == pytest.approx(1.19808, abs=5e-6)
    assert solution.potential == pytest.approx(0.59904, abs=5e-6)


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, 1.0], [], [0.0, -0.0], [1.0, -1.0]])
@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("steps", [1, 4])
def test_activations_that_mean_nothing_are_refused(bad: list[float], method: str, steps: int) -> None:
    with pytest.raises(ValueError, match=r"finite|positive|>= 0"):
        solve(bad, steps, method)


@pytest.mark.parametrize("steps", [0, -1])
def test_no_time_is_refused(steps: int) -> None:
    for call in (
        solve([1.0], 1) and solve,
        lambda *each: solve_channels([[1.0]], *each[1:]),
        lambda *each: solve_channels([[0.0]], *each[1:]),
    ):
        with pytest.raises(ValueError, match="timesteps"):
            call([1.0], steps)


def test_an_unknown_method_is_refused_with_those_that_there_are() -> None:
    for call in (
        lambda: solve([1.0], 1, "best"),
        lambda: solve_channels([[1.0]], 1, "best"),
        lambda: solve_channels([[0.0]], 1, "best"),
    ):
        with pytest.raises(ValueError, match=r"data-driven.*found best"):
            call()


@given(st.lists(activations, min_size=1, max_size=4), timesteps, methods)
def test_channels_are_solved_one_by_one(rows: list[list[float]], steps: int, method: str) -> None:
    width = max(map(len, rows))
    padded = np.array([row + [0.0] * (width - len(row)) for row in rows])
    expected = [solve(row, steps, method) for row in rows]
    assert solve_channels(padded, steps, method) == expected
    assert solve_channels(padded.T, steps, method, axis=-1) == expected
    assert solve_channels(padded[:, None, :, None], steps, method) == expected


def test_dead_channels_get_the_largest_threshold_of_the_living() -> None:
    first, dead, last = solve_channels([[1.0, 2.0], [0.0, 0.0], [7.0, 7.0]], 4, "max")
    assert (first.threshold, last.threshold) == (2.0, 7.0)
    assert (dead.threshold, dead.potential, dead.error) == (7.0, 3.5, 0.0)
    for each in solve_channels(np.zeros((2, 5)), 4):
        assert (each.threshold, each.potential, each.error) == (1.0, 0.5, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_number_in_one_channel_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=rf"channel 1\[0\].*finite.*found {bad}"):
        solve_channels([[1.0, 1.0], [bad, 1.0]], 4)


def test_channels_need_two_axes() -> None:
    with pytest.raises(ValueError, match=r"\(channels, values\)"):
        solve_channels([1.0, 2.0], 4)


@pytest.mark.parametrize("axis", [2, -3])
def test_a_channel_axis_that_is_not_there_is_refused(axis: int) -> None:
    with pytest.raises(ValueError, match=f"channel axis.*found axis {axis}"):
        solve_channels([[1.0, 2.0]], 4, axis=axis)


def test_channels_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found shape \(3, 0\)"):
        solve_channels(np.zeros((3, 0)), 4)


def test_what_is_no_activation_is_named_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"activations\[1, 0\]: expected an activation >= 0.*found -2"):
        solve([[1.0, 2.0], [-2.0, 3.0]], 4)
    with pytest.raises(ValueError, match=r"activations\[1\]: expected a finite activation, found nan"):
        solve([1.0, np.nan, 3.0], 4)
    with pytest.raises(ValueError, match=r"found 2 zeros"):
        solve([0.0, 0.0], 4)


@pytest.mark.parametrize(("options", "words"), [({"objective": 3}, "objective"), ({"potential": "best"}, "potential")])
def test_unknown_options_are_refused(options, words: str) -> None:
    for call in (lambda: solve([1.0], 1, **options), lambda: solve_channels([[1.0]], 1, **options)):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize(("values", "counts"), [([1.0], [-1]), ([1.0], [0.5]), ([1.0, 2.0], [1]), ([0.0], [3])])
def test_histograms_that_mean_nothing_are_refused(values, counts) -> None:
    with pytest.raises(ValueError, match=r"count|positive"):
        Distribution.counted(values, counts)
    with pytest.raises(ValueError, match=r"\[1\].*nan"):
        Distribution.counted([1.0, np.nan], [1, 1])


# Ties and duplicates are frequent among a few small numbers, heavy tails among powers.
tied = st.lists(st.integers(1, 12).map(float), min_size=1, max_size=12)
heavy = st.lists(st.floats(-12, 12).map(lambda each: 2.0**each), min_size=1, max_size=12)
arrays = st.one_of(tied, heavy, activations)


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
