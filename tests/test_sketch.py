"""The sketch of activations: what it counts, what it forgets, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.solver import METHODS, ActivationSketch, Distribution, conversion_error, solve, solve_distributions
from snnc.compiler.solver import sketch as module
from snnc.compiler.solver.sketch import RELATIVE_ERROR

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.0 - 2**-24, 2.0**-7, 3.3, LARGEST, SMALLEST, SMALLEST / 2]),
    st.floats(0, 1000, width=32),
    st.floats(-100, 100).map(lambda each: float(np.float32(2.0**each))),
)
shapes = st.tuples(st.integers(1, 4), st.integers(1, 30))
steps_of = st.sampled_from([1, 2, 8, 32, 100, 1024])


@st.composite
def arrays(draw) -> np.ndarray:
    channels, count = draw(shapes)
    size = channels * count
    return np.array(draw(st.lists(numbers, min_size=size, max_size=size)), np.float32).reshape(channels, count)


def sketch(values) -> ActivationSketch:
    result = ActivationSketch(len(values))
    result.add(values)
    return result


@given(arrays(), st.data())
def test_any_split_in_any_order_merges_to_the_same_state(values: np.ndarray, data) -> None:
    whole = sketch(values)
    shuffled = values[:, data.draw(st.permutations(range(values.shape[1])))]
    cuts = sorted(data.draw(st.lists(st.integers(0, values.shape[1]), max_size=4)))
    parts = [sketch(part) for part in np.split(shuffled, cuts, axis=1)]
    parts = data.draw(st.permutations(parts))
    merged = ActivationSketch(len(values))
    for part in parts:
        merged.merge(part)
    assert merged == whole
    one_by_one = ActivationSketch(len(values))
    for part in np.split(shuffled, cuts, axis=1):
        one_by_one.add(part)
    assert one_by_one == whole
    assert merged.counts.tobytes() == whole.counts.tobytes()
    for steps in (1, 100):
        for found, expected in zip(merged.distributions(steps), whole.distributions(steps), strict=True):
            assert (found is None) == (expected is None)
            if found and expected:
                assert solve(found, 8) == solve(expected, 8)


@given(arrays(), st.sampled_from([1, 7, 64]), st.sampled_from([0, 4, 10**6]))
def test_the_way_of_counting_does_not_change_what_is_counted(values: np.ndarray, chunk: int, sparse: int) -> None:
    whole = sketch(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        patch.setattr(module, "SPARSE", sparse)
        assert sketch(values) == whole
    assert sketch(torch.from_numpy(values)) == whole
    assert sketch(torch.from_numpy(values).double()) == whole
    assert sketch(torch.from_numpy(values.T.copy()).T) == whole


@given(arrays(), steps_of)
def test_every_activation_is_within_the_bound(values: np.ndarray, steps: int) -> None:
    result = sketch(values)
    bound = RELATIVE_ERROR if steps <= 64 else 2 * RELATIVE_ERROR
    assert result.total == values.shape[1]
    for row, found, maximum in zip(values, result.distributions(steps), result.maximum, strict=True):
        normal = np.sort(row[row >= SMALLEST]).astype(np.float64)
        assert maximum == max(row.max(), 0)
        if not normal.size:
            assert found is None
            continue
        counted = np.repeat(found.values, np.diff(found.number(np.arange(len(found.values) + 1))))
        assert counted.shape == normal.shape and found.maximum == normal[-1]
        assert (np.abs(counted - normal) <= bound * normal).all()
    together = result.distribution(steps)
    assert (together is None) == (not (values >= SMALLEST).any())
    assert together is None or len(together) == (values >= SMALLEST).sum()


@given(arrays(), st.sampled_from([1, 2, 8, 32, 64]), st.floats(0.01, 3))
def test_the_error_of_any_threshold_is_within_the_bound(values: np.ndarray, steps: int, fraction: float) -> None:
    for row, found in zip(values.astype(np.float64), sketch(values).distributions(steps), strict=True):
        if found:
            threshold = [fraction * found.maximum]
            exact = conversion_error(Distribution.of(row), threshold, steps)[0]
            assert abs(conversion_error(found, threshold, steps)[0] - exact) <= (RELATIVE_ERROR + 1e-9) * row.sum()


@given(arrays(), st.sampled_from([1, 2, 8, 32, 64]))
def test_the_threshold_costs_no_more_than_twice_the_bound(values: np.ndarray, steps: int) -> None:
    for row, found in zip(values.astype(np.float64), sketch(values).distributions(steps), strict=True):
        if found:
            threshold = solve(found, steps, "optimal").threshold
            cost = conversion_error(Distribution.of(row), [threshold], steps)[0]
            best = solve(row, steps, "optimal").error
            assert cost <= best + (2 * RELATIVE_ERROR + 1e-9) * row.sum()


@given(arrays())
def test_maximum_is_exact_and_percentile_within_the_bound(values: np.ndarray) -> None:
    for row, found in zip(values.astype(np.float64), sketch(values).distributions(8), strict=True):
        if found:
            assert solve(found, 8, "max").threshold == row.max() == solve(found, 8, "opt").threshold
            exact = solve(row[row >= SMALLEST], 8, "percentile").threshold
            assert solve(found, 8, "percentile").threshold == pytest.approx(exact, rel=RELATIVE_ERROR * 1.01)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("steps", [1, 4, 8, 32, 256])
def test_on_activations_as_networks_have_them_the_cost_is_far_below_the_bound(method: str, steps: int) -> None:
    rng = np.random.default_rng(7)
    values = np.maximum(rng.normal(0, 1, (3, 50_000)) * np.abs(rng.normal(0, 1, (3, 50_000))), 0).astype(np.float32)
    found = solve_distributions(sketch(values).distributions(steps), steps, method)
    for row, solution in zip(values.astype(np.float64), found, strict=True):
        exact = solve(row, steps, method)
        # Potential apart: for T = 1 it is an activation too, here the middle of a bin.
        distribution = Distribution.of(row)
        fraction = solution.potential / solution.threshold
        (cost,) = conversion_error(distribution, [solution.threshold], steps, potential_fraction=fraction)
        assert cost <= exact.error + 0.001 * distribution.total
        if method != "mse":
            assert cost <= exact.error * 1.05


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_constant_stays_exact(method: str) -> None:
    found = sketch(np.full((1, 40), 3.3, np.float32)).distributions(8)[0]
    assert found is not None
    assert solve(found, 8, method).error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0, -1e-30])
@pytest.mark.parametrize("count", [3, 5000])
def test_what_is_no_activation_is_refused_with_its_place(bad: float, count: int) -> None:
    values = np.ones((2, count), np.float32)
    values[1, 2] = bad
    target = ActivationSketch(2)
    with pytest.raises(ValueError, match=r"activations\[1, 2\]: expected a finite activation >= 0"):
        target.add(values)
    assert target == ActivationSketch(2), "a refused batch left a trace"


@pytest.mark.parametrize("shape", [(3, 4), (2,), (2, 3, 4)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected shape \(2, values\)"):
        ActivationSketch(2).add(np.ones(shape, np.float32))
    with pytest.raises(ValueError, match="2 channels"):
        ActivationSketch(2).merge(ActivationSketch(3))
    with pytest.raises(ValueError, match="at least 1"):
        ActivationSketch(0)


def test_nothing_added_is_nothing_counted() -> None:
    empty = ActivationSketch(2)
    empty.add(np.zeros((2, 0), np.float32))
    assert empty.total == 0 and empty.distributions() == [None, None] and empty.distribution() is None
    other = sketch(np.ones((2, 3), np.float32))
    other.merge(empty)
    empty.merge(other)
    assert empty == other


def test_memory_does_not_grow_with_what_is_added() -> None:
    target = ActivationSketch(3)
    rng = np.random.default_rng(0)
    batch = rng.gamma(0.5, size=(3, 4096)).astype(np.float32)
    for _ in range(3):
        target.add(batch)
    size = target.counts.nbytes
    for _ in range(50):
        target.add(batch)
    assert target.counts.nbytes == size and target.counts.sum() == 53 * (batch >= SMALLEST).sum()
