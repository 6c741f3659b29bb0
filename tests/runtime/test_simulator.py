"""The simulator against a loop over steps in int64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.programs import LIMIT, levels_for, programs
from support.progress import Heard
from support.reference import reference

from snnc.common.errors import DataError
from snnc.program import Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.targets import LOIHI2
from snnc.runtime.simulator import Simulator


def stays_in_range(ranges: list[tuple[int, int]]) -> bool:
    return all(low > -LIMIT and high < LIMIT for low, high in ranges)


@given(programs(leads=True), st.integers(1, 4), st.integers(0, 99))
def test_every_spike_and_readout_is_that_of_the_definition(program: Program, samples: int, seed: int) -> None:
    levels = levels_for(program, samples, seed)
    spikes, readout, ranges = reference(program, levels)
    simulator = Simulator(program)
    result = simulator.run(levels, record=True)
    for index, (layer, limits) in enumerate(zip(program.layers, ranges, strict=True)):
        if not stays_in_range([limits]):
            assert result.wraps[index] > 0
            return
        assert (simulator.ranges[index].low, simulator.ranges[index].high) == limits
        if layer.threshold is not None:
            assert result.spikes[index].dtype == bool
            assert np.array_equal(result.spikes[index], spikes[index]), f"layer {index}"
            assert np.array_equal(result.spike_counts[index], spikes[index].sum((0, 1)))
    assert result.readout.dtype == np.int64
    assert np.array_equal(result.readout, readout)
    assert result.samples == samples


@given(programs(leads=True), st.integers(1, 7), st.integers(1, 8))
def test_the_batch_size_changes_nothing(program: Program, samples: int, size: int) -> None:
    levels = levels_for(program, samples)
    simulator = Simulator(program)
    heard = Heard()
    whole = simulator.run(levels, record=True, batch_size=samples)
    ranges = simulator.ranges
    parts = simulator.run(levels, record=True, batch_size=size, progress=heard)
    assert simulator.ranges == ranges
    assert np.array_equal(whole.readout, parts.readout)
    assert np.array_equal(whole.input_counts, parts.input_counts)
    assert whole.wraps == parts.wraps
    for name in ("spike_counts", "spikes"):
        assert all(map(np.array_equal, getattr(whole, name), getattr(parts, name)))
    assert heard.done[-1] == samples and len(heard.done) == -(-samples // size)


@given(programs(leads=True))
def test_watching_changes_nothing(program: Program) -> None:
    levels = levels_for(program)
    simulator = Simulator(program)
    plain, watched = simulator.run(levels), simulator.run(levels, record=True)
    assert plain.spikes is None
    assert np.array_equal(plain.readout, watched.readout)
    assert all(map(np.array_equal, plain.spike_counts, watched.spike_counts))
    assert (sum(plain.wraps) > 0) <= (sum(watched.wraps) > 0)
    # What is not watched is proven: it cannot wrap.
    assert plain.wraps == watched.wraps


@given(programs(), st.integers(1, 4))
def test_input_counts_are_the_steps_at_which_something_arrives(program: Program, samples: int) -> None:
    levels = levels_for(program, samples)
    levels.flat[0] = 0
    arriving = program.coding.spikes(levels, program.timesteps)
    assert np.array_equal(Simulator(program).run(levels).input_counts, (arriving != 0).sum((0, 1)))


@pytest.mark.parametrize("timesteps", [1, 16])
@given(data=st.data())
def test_all_numbers_of_steps_are_alike(timesteps: int, data: st.DataObject) -> None:
    program = replace(data.draw(programs()), timesteps=timesteps)
    levels = levels_for(program, 2)
    spikes, readout, ranges = reference(program, levels)
    result = Simulator(program).run(levels, record=True)
    if stays_in_range(ranges):
        assert np.array_equal(result.readout, readout)
        assert all(map(np.array_equal, result.spikes, spikes))


def dense(
    weight: list[list[int]], theta: int | None, *, bias: int = 0, potential: int = 0, gate: int = 255, source: int = -1
) -> Layer:
    array = np.array(weight, np.int16)
    return Layer(
        name=f"dense{source + 1}",
        modules=(),
        shape=(len(array),),
        synapses=(Synapse(source, "dense", array),),
        bias=np.full(len(array), bias, np.int32),
        threshold=Scaled.below(theta, LOIHI2) if theta else None,
        initial_potential=potential,
        gate=Gate(Scaled.below(gate, LOIHI2), 1) if theta else None,
        scale=np.ones(len(array)),
        membrane=Membrane((0, 0)),
    )


def program_of(*layers: Layer, timesteps: int = 4, target: str = "loihi2", kind: str = "graded") -> Program:
    features = layers[0].synapses[0].weight.shape[1]
    ones = np.ones(features)
    coding = InputCoding(kind, (features,), ones, 0 * ones, ones, 0 * ones)
    return Program(target, timesteps, coding, layers, (), Provenance("", "", "", 0))


def levels(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def run(program: Program, *values: int, **options: object):
    return Simulator(program).run(levels(*values), record=True, **options)


def test_a_neuron_fires_from_the_threshold_on_and_keeps_the_rest() -> None:
    result = run(program_of(dense([[2]], 10), dense([[2]], None, source=0), timesteps=6), 3)
    # 6, 12 -> 2, 8, 14 -> 4, 10 -> 0, 6
    assert result.spikes[0].ravel().tolist() == [0, 1, 0, 1, 1, 0]
    assert result.readout.tolist() == [[6]]
    exact = run(program_of(dense([[2]], 6), dense([[2]], None, source=0), timesteps=3), 3)
    assert exact.spikes[0].ravel().tolist() == [1, 1, 1]


def test_the_initial_potential_is_half_a_step_of_rounding() -> None:
    for level in range(11):
        result = run(program_of(dense([[2]], 20, potential=10), dense([[2]], None, source=0), timesteps=1), level)
        assert result.readout.tolist() == [[2 if level >= 5 else 0]]


def test_a_neuron_driven_harder_than_it_can_fire_keeps_all_that_is_left() -> None:
    result = run(program_of(dense([[2]], 10), dense([[2]], None, source=0), timesteps=4), 50)
    assert result.spikes[0].all()


@pytest.mark.parametrize(("weight", "bias"), [(254, 0), (-256, 0), (2, 3000), (2, -3000)])
def test_a_membrane_that_leaves_the_range_is_counted(weight: int, bias: int) -> None:
    inside, outside = 2, 64
    program = program_of(dense([[weight]], None, bias=bias), timesteps=inside)
    assert run(program, 255).wraps == (0,)
    result = run(replace(program, timesteps=outside), 255)
    assert result.wraps[0] > 0


def test_the_range_ends_just_below_two_to_the_seventeenth() -> None:
    layer = dense([[2]], None)
    for bias, wraps in ((LIMIT - 1, 0), (LIMIT, 1), (-LIMIT + 1, 0), (-LIMIT, 1)):
        program = program_of(replace(layer, bias=np.array([bias], np.int32)), timesteps=1)
        result = run(program, 0)
        assert result.wraps == (wraps,)
        assert wraps or result.readout.tolist() == [[bias]]


def test_a_membrane_wraps_as_24_bits_do() -> None:
    program = program_of(replace(dense([[2]], None), bias=np.array([100_000], np.int32)), timesteps=2)
    result = run(program, 0)
    assert result.readout.tolist() == [[200_000 - 2 * LIMIT]] and result.wraps == (1,)


@pytest.mark.parametrize(("gate", "failures"), [(255, 0), (23, 0), (22, 1), (2, 1)])
def test_a_neuron_that_the_gate_does_not_silence_is_counted(gate: int, failures: int) -> None:
    # 2 * 30 + 1 - 20 = 41 are left before the blank step, in which the bias of 1 still comes: 42 - gate < 20 is needed.
    program = program_of(dense([[2]], 20, bias=1, gate=gate), dense([[2]], None, source=0), timesteps=1)
    result = run(program, 30)
    assert result.readout.tolist() == [[2]]
    assert result.wraps == (failures, 0)


def test_sums_beyond_24_bits_are_exact() -> None:
    """300 inputs of 255 times 254 are more than float32 can count in ones."""
    rng = np.random.default_rng(0)
    weight = 2 * rng.integers(-128, 128, (3, 1000))
    weight[0] = np.where(np.arange(1000) % 2, 254, -254)
    weight[0, 0] = 2
    program = program_of(dense(weight.tolist(), None, bias=1), timesteps=1)
    simulator = Simulator(program)
    assert simulator._kernels[0].dtype == torch.float64
    values = rng.integers(250, 256, (20, 1000)).astype(np.uint8)
    expected = values.astype(np.int64) @ weight.T + 1
    result = simulator.run(values)
    inside = np.abs(expected) < LIMIT
    assert inside.any() and np.array_equal(result.readout[inside], expected[inside])
    assert result.wraps == ((~inside).sum(),)


def test_small_sums_are_done_in_float32() -> None:
    assert Simulator(program_of(dense([[2]], None)))._kernels[0].dtype == torch.float32


def test_one_sample_does_not_see_another() -> None:
    program = program_of(dense([[6]], 100), dense([[2]], None, source=0), timesteps=3)
    alone = [Simulator(program).run(np.array([[each]], np.uint8)).readout[0, 0] for each in range(40)]
    together = Simulator(program).run(np.arange(40, dtype=np.uint8).reshape(-1, 1)).readout.ravel()
    assert together.tolist() == alone


@pytest.mark.parametrize("shape", [(0, 2), (3, 3), (3,), (3, 2, 1)])
def test_data_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    simulator = Simulator(program_of(dense([[2, 4]], None)))
    with pytest.raises(DataError, match=r"shape \(2,\)"):
        simulator.run(np.zeros(shape, np.uint8))


def test_predictions_are_the_largest_readout_the_first_of_equals() -> None:
    program = program_of(dense([[2, 0], [0, 2], [2, 0]], None), timesteps=1)
    result = Simulator(program).run(np.array([[5, 1], [1, 5], [3, 3]], np.uint8))
    assert result.predictions.tolist() == [0, 1, 0]
    assert result.accuracy(np.array([0, 1, 2])) == pytest.approx(2 / 3)


def test_logits_are_the_readout_in_the_units_of_the_network() -> None:
    program = program_of(replace(dense([[2], [4]], None), scale=np.array([0.5, 2.0])), timesteps=4)
    result = run(program, 3)
    assert program.logits(result.readout).tolist() == [[3.0, 24.0]]
