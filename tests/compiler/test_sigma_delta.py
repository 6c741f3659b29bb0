"""Sigma-delta neurons: the simulator against their definition, and the network against its ANN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import Case
from support.sigma_delta import chains, compiled, convolutional_chain, dataset, reference
from torch import nn

import snnc
from snnc.api.run import run_shared
from snnc.compiler.frontend import trace
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.sigma_delta.chain import front_passes
from snnc.models.data import Dataset
from snnc.program import SigmaDeltaProgram
from snnc.program.bounds import sigma_delta_bounds
from snnc.program.messages import ACTIVATION_LIMIT, STATE_LIMIT, UNIT
from snnc.runtime.sigma_delta import SigmaDeltaSimulator


@settings(max_examples=15)
@given(chains(), st.integers(0, 2), st.booleans())
def test_simulator_sends_what_the_definition_sends(case: Case, delta_threshold: int, rested: bool) -> None:
    program = compiled(case, delta_threshold=delta_threshold)
    result = snnc.run(program, dataset(case), record=True, batch_size=4)
    assert result.spikes is not None and result.wraps is not None and not any(result.wraps)
    rest = program.interval if rested else 0
    for sample, levels in enumerate(program.coding.levels(case.levels / 255)):
        messages, readout = reference(program, levels, rest=rest)
        assert np.array_equal(readout[-1], result.readout[sample].ravel())
        for index, (expected, found) in enumerate(zip(messages, result.spikes, strict=True)):
            # Without rest the biases' messages come before the input's, which are the same.
            assert np.array_equal(
                expected[rest + index + 1 :], found[sample].reshape(len(found[sample]), -1)[index + 1 :]
            )
            if rested:
                assert np.array_equal(expected[rest:], found[sample].reshape(len(found[sample]), -1))


@settings(max_examples=8)
@given(chains())
def test_nothing_moves_after_the_last_step(case: Case) -> None:
    program = compiled(case)
    longer = replace(program, layers=program.layers)
    messages, readout = reference(longer, program.coding.levels(case.levels / 255)[2], rest=program.interval)
    again, held = reference(longer, program.coding.levels(case.levels / 255)[2], rest=0)
    assert np.array_equal(readout[-1], held[-1])
    assert all(not each[index + 2 :].any() for index, each in enumerate(again))
    assert all(not each[program.interval + index + 2 :].any() for index, each in enumerate(messages))


@settings(max_examples=8)
@given(chains(), st.integers(0, 3))
def test_no_value_is_further_from_the_ann_than_the_bound(case: Case, delta_threshold: int) -> None:
    program = compiled(case, delta_threshold=delta_threshold)
    found = snnc.validate(program, case.module, dataset(case), lava=False)
    # What random weights are worth is not asked here.
    assert found.neuron == "sdnn" and set(found.failures()) <= set(found.verdict.failures())
    for layer in found.layers:
        assert layer.bound is not None and np.isfinite(layer.bound) and layer.out_of_bound == 0


@settings(max_examples=8)
@given(chains())
def test_each_weight_is_rounded_to_the_nearest(case: Case) -> None:
    """The documented half unit for each weight: |W u - v w| <= v / 2."""
    program = compiled(case)
    graph = (
        PassManager(front_passes(trace(case.module, case.shape), program.coding))
        .run(trace(case.module, case.shape))
        .graph
    )
    layers = [node.op.synapses[0] for node in graph if hasattr(node.op, "synapses")]
    for index, (float_layer, layer) in enumerate(zip(layers, program.layers[1:], strict=True)):
        source = program.layers[index]
        is_conv = layer.synapse.kind == "conv"
        weight = float_layer.dense_weight if is_conv else float_layer.weight
        unit = source.scale[:-1]
        each = unit[:, None, None] if is_conv else np.repeat(unit, source.neurons // source.shape[0])
        steps = layer.scale[: len(weight)] / (1 if layer.is_readout else UNIT)
        rounded = layer.synapse.weight[: len(weight)]
        rounded = rounded[:, :-1] if is_conv else rounded[:, : weight.shape[1]]
        if not is_conv and not (layer.synapse.weight > 0).any():
            continue  # netx asks for one weight more
        error = abs(weight * each / steps.reshape(-1, *(1,) * (weight.ndim - 1)) - rounded)
        assert error.max() <= 0.5 + 1e-9


@settings(max_examples=8)
@given(chains(), st.integers(0, 2**20), st.integers(0, 2))
def test_bounds_hold_whatever_arrives(case: Case, seed: int, delta_threshold: int) -> None:
    program = compiled(case, delta_threshold=delta_threshold)
    levels = np.random.default_rng(seed).integers(0, program.coding.highest + 1, (8, *case.shape)).astype(np.uint8)
    simulator = SigmaDeltaSimulator(program)
    result = simulator.run(levels, record=True)
    assert simulator.extremes is not None and result.spikes is not None
    bounds = sigma_delta_bounds(program.coding, program.layers)
    for layer, extremes, bound in zip(program.layers, simulator.extremes, bounds, strict=True):
        # Extremes hold 0 on both sides, which a bound of large biases need not.
        assert min(0, bound.low.min()) <= extremes.low and extremes.high <= max(0, bound.high.max())
        assert layer.membrane.proven == (bound.low.min(), bound.high.max())
        assert extremes.size <= bound.size.max() and extremes.drive <= max(bound.size.max(), bound.sigma.max())
    for messages, bound in zip(result.spikes, bounds, strict=False):
        if bound.within:
            assert messages.min() >= -(1 << 15) and messages.max() < 1 << 15


def test_the_margin_is_left_on_the_calibration_data() -> None:
    case = convolutional_chain()
    for layer in compiled(case).layers:
        assert layer.membrane.measured is not None
        low, high = layer.membrane.measured
        limit = STATE_LIMIT if layer.is_readout else ACTIVATION_LIMIT
        assert low >= -0.52 * STATE_LIMIT and high <= 0.52 * limit


def test_data_beyond_the_margin_are_counted() -> None:
    """Calibrated on dim data, bright ones make messages of more than 16 bits."""
    module = nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1)
    dim = np.random.default_rng(0).integers(0, 16, (64, 4)).astype(np.uint8)
    program = snnc.compile(module, Dataset("dim", dim, None, 1 / 255), neuron="sdnn")
    assert isinstance(program, SigmaDeltaProgram)
    # Levels are clipped to those of the calibration data, so that they have to be made larger by hand.
    program = replace(program, coding=replace(program.coding, highest=255))
    wraps = SigmaDeltaSimulator(program).run(np.full((1, 4), 255, np.uint8)).wraps
    assert wraps is not None and sum(wraps) > 0 and not any(SigmaDeltaSimulator(program).run(dim).wraps or ())


def test_a_higher_delta_threshold_sends_fewer_messages() -> None:
    case = convolutional_chain()
    counts = []
    for delta_threshold in (0, 4, 64):
        result = snnc.run(compiled(case, delta_threshold=delta_threshold), dataset(case))
        counts.append(sum(int(each.sum()) for each in result.spike_counts))
    assert counts[0] > counts[1] > counts[2]


@settings(max_examples=8)
@given(chains())
def test_what_other_devices_compute_is_the_same(case: Case) -> None:
    program = compiled(case)
    levels = program.coding.levels(case.levels / 255)
    runs = [SigmaDeltaSimulator(program, native=each).run(levels, record=True) for each in (True, False)]
    assert np.array_equal(runs[0].readout, runs[1].readout)
    assert all(map(np.array_equal, runs[0].spikes or (), runs[1].spikes or ()))


class HalfOfTwo(Processes):
    """The first of two processes, which has all samples: nothing is added to its own."""

    def part(self, samples: int) -> slice:
        return slice(0, samples)

    def add_up(self, values: np.ndarray) -> None:
        pass


def test_recorded_messages_survive_being_merged() -> None:
    """They were taken for spikes, and came out as truth values."""
    case = convolutional_chain()
    program = compiled(case)
    levels = program.coding.levels(case.levels[:4] / 255)
    expected = SigmaDeltaSimulator(program).run(levels, record=True)
    found = run_shared(levels, HalfOfTwo(0, 2), lambda share: SigmaDeltaSimulator(program).run(share, record=True))
    assert found.spikes is not None and expected.spikes is not None
    for one, other in zip(found.spikes, expected.spikes, strict=True):
        assert one.dtype == np.int32 and np.array_equal(one, other)


def test_memory_and_batches_change_nothing() -> None:
    case = convolutional_chain()
    program = compiled(case)
    levels = case.levels
    whole = SigmaDeltaSimulator(program).run(levels, record=True)
    parts = SigmaDeltaSimulator(program, memory=1 << 16).run(levels, record=True, batch_size=1)
    assert np.array_equal(whole.readout, parts.readout)
    with pytest.raises(snnc.OptionError, match=r"memory.*too small for one sample"):
        SigmaDeltaSimulator(program, memory=100)


def test_an_image_is_padded_as_the_ann_pads_it() -> None:
    """With a mean the padding of the ANN is not level 0; the constants' plane ends where the image ends."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 3)).eval()
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 5, 5)).astype(np.uint8)
    data = Dataset("images", images, None, 1 / 255)
    program = snnc.compile(module, data, neuron="sdnn", mean=0.9, std=0.1)
    found = snnc.validate(program, module, data, lava=False)
    assert not found.failures() and found.agreeing == 40
    # At the border alone a folded mean would be off by about 9 of the ANN's units.
    assert found.layers[0].largest_error < 0.2


def test_an_average_in_the_place_of_a_maximum_is_told() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()
    data = Dataset("images", np.random.default_rng(0).integers(0, 256, (70, 1, 6, 6)).astype(np.uint8), None, 1 / 255)
    program = snnc.compile(module, data, neuron="sdnn", max_pool="avg")
    assert any("average pooling instead of maximum pooling" in note for note in program.provenance.notes)
    found = snnc.validate(program, module, data, lava=False)
    assert found.layers[-1].bound is None and not found.failures()


def test_a_program_is_one_of_its_own() -> None:
    program = compiled(convolutional_chain())
    assert isinstance(program, SigmaDeltaProgram) and program.timesteps == program.latency == len(program.layers) + 1
