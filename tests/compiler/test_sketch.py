"""The sketch of activations: what it counts, what it forgets, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from snnc.compiler.conversion.solver import (
    METHODS,
    ActivationSketch,
    Distribution,
    conversion_error,
    solve,
    solve_distributions,
)
from snnc.compiler.conversion.solver.counting import ChannelValues, Table
from snnc.compiler.conversion.solver.sketch import MANTISSA, PER_OCTAVE, RELATIVE_ERROR, SHIFT

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


def plain_sketch(values: np.ndarray) -> ActivationSketch:
    """The definition: the bin of a normal positive value is its bits without the last 16; nothing else is counted."""
    result = ActivationSketch(len(values))
    result.total = values.shape[1]
    result.maximum = np.maximum(values.max(axis=1), np.float32(0)) + np.float32(0)
    bins = [[int(each.view(np.int32)) >> SHIFT for each in row if each >= SMALLEST] for row in values]
    octaves = [each >> MANTISSA for row in bins for each in row]
    if octaves:
        result.cover(min(octaves), max(octaves) + 1)
        for counts, row in zip(result.counts, bins, strict=True):
            for each in row:
                counts[each - result.octave * PER_OCTAVE] += 1
    return result


@given(arrays(), st.integers(1, 40))
def test_the_state_is_that_of_the_plain_definition(values: np.ndarray, copies: int) -> None:
    # Few values and many are counted in different ways.
    many = np.tile(values, copies)
    found, expected = sketch(many), plain_sketch(many)
    assert found == expected and found.counts.tobytes() == expected.counts.tobytes()
    assert sketch(torch.from_numpy(many)) == expected
    assert sketch(torch.from_numpy(many).double()) == expected


layouts = st.sampled_from(["channels first", "channels last", "neither", "channels in front"])


def laid_out(values: np.ndarray, layout: str) -> tuple[torch.Tensor, int]:
    """(channels, batch, height, width) values as a tensor of a layout, and its channel axis."""
    tensor = torch.from_numpy(values)
    if layout == "channels in front":
        return tensor, 0
    batch = tensor.transpose(0, 1)
    if layout == "channels first":
        return batch.contiguous(), 1
    if layout == "channels last":
        return batch.contiguous(memory_format=torch.channels_last), 1
    return torch.stack((batch, batch), dim=-1)[..., 0], 1


@given(
    layouts,
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 16, 65, 130]),
    st.sampled_from([(1, 1), (2, 3), (16, 20)]),
    st.sampled_from([1, 3]),
    st.integers(0, 10**6),
)
def test_the_layout_and_the_threads_do_not_change_the_state(
    layout: str, batch: int, channels: int, image: tuple[int, int], threads: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    drive = rng.normal(0, 1, (channels, batch, *image)).astype(np.float32)
    drive *= np.exp(rng.normal(0, 3, drive.shape)).astype(np.float32)
    expected = plain_sketch(np.maximum(drive, 0).reshape(channels, -1))
    tensor, axis = laid_out(drive, layout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snnc.compiler.conversion.solver.counting.THREAD_VALUES", 100)
        patch.setattr(torch, "get_num_threads", lambda: threads)
        values = ChannelValues(tensor, axis)
        found, rectified = ActivationSketch(channels), ActivationSketch(channels)
        rectified.add_values(values, rectified=True)
        found.add(tensor.relu(), axis=axis)
    assert found == expected == rectified
    low, high, normal = values.ranges
    rows = drive.reshape(channels, -1)
    assert np.array_equal(low, rows.min(axis=1)) and np.array_equal(high, rows.max(axis=1))
    assert normal == rows[rows >= SMALLEST].min(initial=np.inf) or np.isnan(normal)


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf])
@pytest.mark.parametrize("layout", ["channels first", "channels last", "neither", "channels in front"])
def test_a_rectified_drive_that_is_no_number_is_refused_with_its_place(bad: float, layout: str) -> None:
    drive = np.full((3, 2, 2, 2), -1, np.float32)
    drive[1, 1, 0, 1] = bad
    target = ActivationSketch(3)
    with pytest.raises(ValueError, match=r"activations\[1, 5\]: expected a finite activation >= 0"):
        target.add_values(ChannelValues(*laid_out(drive, layout)), rectified=True)
    assert target == ActivationSketch(3)
    drive[1, 1, 0, 1] = -np.inf
    target.add_values(ChannelValues(*laid_out(drive, layout)), rectified=True)
    assert target.total == 8 and not target.octaves


@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 5), st.integers(1, 40), st.integers(1, 50))
def test_the_pieces_of_a_table_are_the_table(rows: int, lanes: int, left: int, width: int, most: int) -> None:
    bits = np.arange(rows * (left + width + 3), dtype=np.int32).reshape(rows, -1)
    table = Table(bits, left, left + width, np.arange(lanes))
    seen = []
    for part, first, end in table.pieces(most):
        assert part.flags.c_contiguous and (first - left) % lanes == 0
        assert len(part) * -(-(end - first) // lanes) <= most
        seen.append(part[:, first:end].ravel())
    assert np.array_equal(np.sort(np.concatenate(seen)), bits[:, left : left + width].ravel())


@pytest.mark.parametrize("layout", ["channels first", "channels last", "channels in front"])
def test_more_of_one_value_than_16_bits_count(layout: str) -> None:
    values = np.full((2, 3, 300, 301), 1.5, np.float32)
    values[1] = 0
    values[1, :, :, 0] = 3
    tensor, axis = laid_out(values, layout)
    found = ActivationSketch(2)
    found.add(tensor, axis=axis)
    assert found.counts.sum(axis=1).tolist() == [270_900, 900] and found.counts.max() == 270_900


def test_every_value_is_in_one_table_that_is_a_view() -> None:
    batch = torch.randn(2, 100, 16, 16).contiguous(memory_format=torch.channels_last)
    for tensor in (batch, batch.contiguous(), batch[:, :1].contiguous(), batch.flatten(1)):
        tables = ChannelValues(tensor, 1).tables
        assert all(isinstance(each, Table) for each in tables)
        assert sum(len(each.bits) * (each.right - each.left) for each in tables) == tensor.numel()
        assert all(np.shares_memory(each.bits, tensor.numpy()) for each in tables)


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
@example(np.array([[SMALLEST, SMALLEST / 2]], np.float32), 1, 1.0)
def test_the_error_of_any_threshold_is_within_the_bound(values: np.ndarray, steps: int, fraction: float) -> None:
    for row, found in zip(values.astype(np.float64), sketch(values).distributions(steps), strict=True):
        if found:
            threshold = [fraction * found.maximum]
            # What is below the normal numbers of float32 counts as 0, and hardly any sum is so small that it matters.
            exact = conversion_error(Distribution.of(np.where(row < SMALLEST, 0, row)), threshold, steps)[0]
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


@pytest.mark.parametrize("shape", [(3, 4), (2,), (3, 2, 4)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected shape \(2, values"):
        ActivationSketch(2).add(np.ones(shape, np.float32))
    for axis in (1, 3, -1):
        with pytest.raises(ValueError, match="expected shape"):
            ActivationSketch(2).add(np.ones((4, 3, 2), np.float32), axis=axis)
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
