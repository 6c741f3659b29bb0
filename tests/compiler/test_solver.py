"""Thresholds and potentials against brute force from the paper's definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.solver import (
    activations,
    close,
    count,
    error,
    methods,
    real_activations,
    timesteps,
)

from snnc.compiler.conversion.solver import (
    METHODS,
    Distribution,
    conversion_error,
    solve,
    solve_channels,
    spike_counts,
)


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
