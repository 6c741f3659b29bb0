"""What a report is made of, against definitions."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import levels_for, programs

import snnc
from snnc.analysis.diagnosis import diagnose_program
from snnc.analysis.validation.pairs import threshold_of
from snnc.api.compile import compile_recorded
from snnc.common.plotting import picture_address
from snnc.compiler.conversion.float_simulation import simulate
from snnc.models import resnet20
from snnc.models.data import Dataset
from snnc.program import Layer, Program
from snnc.program.targets import get_target
from snnc.reporting.conversion import Sources, collect_report
from snnc.reporting.conversion.layers import LayerWatch, energy_of_layers
from snnc.reporting.conversion.outcomes import (
    CLIPPED,
    FLOAT_SPIKES,
    INTEGERS,
    ROUNDED,
    led_runs,
    pass_predictions,
    replayed_passes,
    stops,
)
from snnc.reporting.graph import Box, diagram_strips
from snnc.reporting.page.reproduce import commands
from snnc.reporting.wording import membrane_bits, weight_bits
from snnc.runtime.energy import ENERGY_MODELS, count_operations, estimate_energy, layer_energies
from snnc.runtime.result import join_results
from snnc.runtime.simulator import Simulator


@given(programs(), st.integers(2, 5))
@settings(max_examples=20)
def test_runs_of_parts_join_to_the_run_of_all(program: Program, samples: int) -> None:
    levels = levels_for(program, samples)
    simulator = Simulator(program)
    whole = simulator.run(levels, stop_at=(1,))
    joined = join_results([simulator.run(part, stop_at=(1,)) for part in (levels[:1], levels[1:])])
    for found, expected in ((joined, whole), (joined.earlier.get(1), whole.earlier.get(1))):
        if expected is None:  # T is 1
            assert found is None
            continue
        assert found is not None
        assert np.array_equal(found.readout, expected.readout)
        assert np.array_equal(found.input_counts, expected.input_counts)
        assert all(map(np.array_equal, found.spike_counts, expected.spike_counts))
        assert found.wraps == expected.wraps


@given(programs(leads=True), st.integers(1, 3))
@settings(max_examples=20)
def test_the_energy_of_layers_is_that_of_the_network(program: Program, samples: int) -> None:
    counts = count_operations(program, Simulator(program).run(levels_for(program, samples)))
    for estimate in estimate_energy(program, counts):
        layers = layer_energies(estimate.model, program, counts)
        assert sum(layers) == pytest.approx(estimate.snn)
    rows = energy_of_layers(program, counts)
    assert sum(row.macs for row in rows) == sum(each.macs for each in program.ann)
    for model in ENERGY_MODELS:
        assert sum(row.snn[model.name] for row in rows) == pytest.approx(sum(layer_energies(model, program, counts)))


@functools.cache
def readout() -> Layer:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    program = snnc.compile(module, np.random.default_rng(0).random((64, 3), np.float32), timesteps=2, threshold="max")
    return program.readout


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=5))
@settings(max_examples=50)
def test_weights_take_the_fewest_bits_that_hold_them(halves: list[int]) -> None:
    weights = [2 * each for each in halves]
    synapse = dataclasses.replace(readout().synapses[0], weight=np.array(weights, np.int16).reshape(1, -1))
    bits = weight_bits(dataclasses.replace(readout(), synapses=(synapse,)))
    if min(weights) < 0:
        assert all(-(1 << bits - 1) <= each < 1 << bits - 1 for each in halves)
        assert bits == 1 or not all(-(1 << bits - 2) <= each < 1 << bits - 2 for each in halves)
    else:
        assert bits == max(1, max(weights).bit_length())


@given(st.integers(-(2**17), 2**17 - 1), st.integers(-(2**17), 2**17 - 1))
def test_potentials_take_the_fewest_bits_that_hold_them(one: int, other: int) -> None:
    low, high = sorted((one, other))
    target = get_target("loihi2")
    bits = membrane_bits((low, high), target) - target.synaptic_input_shift
    assert -(1 << bits - 1) <= low and high < 1 << bits - 1
    assert bits == 1 or not (-(1 << bits - 2) <= low and high < 1 << bits - 2)
    assert membrane_bits((-(2**17), 2**17 - 1), target) == target.state_bits


@pytest.mark.parametrize("timesteps", [1, 2, 16, 17, 64, 1024])
def test_steps_to_look_at_grow_from_one_to_all(timesteps: int) -> None:
    found = stops(timesteps)
    assert found[0] == 1 and found[-1] == timesteps and len(found) <= 16
    assert list(found) == sorted(set(found))
    if timesteps <= 16:
        assert len(found) == timesteps


@pytest.fixture(scope="module")
def residual() -> tuple[torch.nn.Module, Dataset]:
    """A network with shortcuts, and data."""
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (24, 3, 32, 32)).astype(np.uint8)
    return resnet20(), Dataset("noise", images, np.arange(24) % 10, 1 / 255)


@pytest.fixture(scope="module")
def led(residual: tuple[torch.nn.Module, Dataset]) -> Program:
    module, data = residual
    return snnc.compile(module, data, timesteps=4, lead=2, threshold="percentile", calibration_samples=24)


def test_passes_that_are_exact_change_no_prediction(residual: tuple[torch.nn.Module, Dataset], led: Program) -> None:
    module, data = residual
    records = replayed_passes(led, module)
    levels = led.coding.levels(data.images * (1 / 255))
    images = torch.as_tensor(data.images.astype(np.float32) / 255)
    with torch.no_grad():
        expected = module.eval()(images).argmax(1).numpy()
    found = list(pass_predictions(led, records, images, levels))
    *exact, clipped, rounded, spikes = found
    assert [each.record for each in (*exact, spikes)] == list(records)
    assert all(np.array_equal(each.predictions, expected) for each in exact)
    assert [each.meaning for each in (clipped, rounded, spikes)] == [CLIPPED, ROUNDED, FLOAT_SPIKES]
    assert spikes.record.name == "thresholds of the .net file"
    run = simulate(spikes.record.result.graph, torch.as_tensor(levels, dtype=torch.float32), 4, lead=2)
    assert np.array_equal(spikes.predictions, run.readout.argmax(1).numpy())
    # The diagnosis replaces activations of the traced network, which computes the same.
    stages = diagnose_program(led, module, data).stages
    for each, stage in ((clipped, stages[1]), (rounded, stages[2])):
        assert float((each.predictions == expected).mean()) == pytest.approx(stage.agreement, abs=1.5 / 24)


def test_a_pass_that_approximates_is_where_predictions_change() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(36, 5)
    ).eval()
    images = np.random.default_rng(0).integers(0, 256, (80, 1, 8, 8)).astype(np.uint8)
    compilation = compile_recorded(module, images, timesteps=64, threshold="max", max_pool="avg")
    levels = compilation.program.coding.levels(images / 255)
    ann = torch.as_tensor(images / np.float32(255))
    found = list(pass_predictions(compilation.program, compilation.records, ann, levels))
    with torch.no_grad():
        expected = module(ann).argmax(1).numpy()
        module[2] = torch.nn.AvgPool2d(2)
        averaged = module(ann).argmax(1).numpy()
    assert (expected != averaged).any()
    names = [each.record.name for each in found]
    for name, each in zip(names, found, strict=True):
        right = expected if names.index(name) < names.index("LowerMaxPooling") else averaged
        if each.meaning in (FLOAT_SPIKES, ROUNDED, INTEGERS):
            assert (each.predictions == right).mean() > 0.85
        else:
            assert np.array_equal(each.predictions, right), name


def test_with_lead_fewer_steps_are_runs_of_their_own(residual: tuple[torch.nn.Module, Dataset], led: Program) -> None:
    module, data = residual
    report = collect_report(led, module, data)
    assert [each.steps for each in report.steps] == [1, 2, 4]
    levels = led.coding.levels(data.images * (1 / 255))
    runs = led_runs(led, levels)
    alone = Simulator(dataclasses.replace(led, timesteps=2)).run(levels)
    assert np.array_equal(runs[2].readout, alone.readout)
    assert report.steps[-1].accuracy == Simulator(led).run(levels).accuracy(data.labels)


def test_layers_are_compared_value_by_value(residual: tuple[torch.nn.Module, Dataset], led: Program) -> None:
    module, data = residual
    pairs = []
    diagnose_program(led, module, data, watch=pairs.append)
    watch = LayerWatch(led, len(data))
    for pair in pairs:
        watch.add(pair)
    layer = led.spiking_layers[2]
    ann, snn = (np.concatenate([each[layer.name] for each in (p.activations for p in pairs)]),
                np.concatenate([each[layer.name] for each in (p.rates for p in pairs)]))  # fmt: skip
    comparison, scatter = watch.comparison(layer.name), watch.scatter(layer.name)
    assert comparison is not None and scatter is not None
    assert comparison.correlation == pytest.approx(np.corrcoef(ann.ravel(), snn.ravel())[0, 1])
    assert 3900 <= len(scatter.rates) <= 4100
    threshold = np.broadcast_to(threshold_of(layer), ann.shape)
    known = {
        (round(a, 9), round(s, 9)) for a, s in zip((ann / threshold).ravel(), (snn / threshold).ravel(), strict=True)
    }
    assert {(round(a, 9), round(s, 9)) for a, s in zip(scatter.activations, scatter.rates, strict=True)} <= known
    assert (0, 0) not in set(zip(scatter.activations, scatter.rates, strict=True))


def test_a_long_diagram_is_cut_into_pictures_that_show_every_box() -> None:
    boxes = {"a": Box("box a", "#ffffff")}
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        reads = (before, "a") if name == "e" else (before,)
        boxes[name] = Box(f"box {name}\nof two lines", "#ffffff", reads)
    figures = diagram_strips(boxes, rows_at_most=4)
    assert len(figures) == 3
    assert len({figure.get_size_inches()[0] for figure in figures}) == 1
    inside = []
    for figure in figures:
        (axes,) = figure.axes
        low, high = sorted(axes.get_ylim())
        inside.append([text.get_text()[4] for text in axes.texts if text.get_text()[:3] == "box"
                       and low < text.get_position()[1] < high])  # fmt: skip
    assert inside == [["a", "b", "c"], ["d", "e", "f", "g"], ["h", "i", "j"]]


def test_the_same_figure_has_the_same_address() -> None:
    (figure,) = diagram_strips({"a": Box("a", "#ffffff")})
    assert picture_address(figure, "svg") == picture_address(figure, "svg")


def test_commands_quote_what_a_shell_would_take_apart(led: Program) -> None:
    sources = Sources("my model.pt", "a b.net", "data;x", architecture="resnet20", trust=True, allow_oversize=True)
    compiling, reporting, *_ = commands(led, sources, "my page.html")
    assert compiling.startswith("snnc compile 'my model.pt' --arch resnet20 --trust --calib DATA --calib-samples 24 ")
    assert " --lead 2 " in compiling and " -T 4 " in compiling and " --allow-oversize -o 'a b.net'" in compiling
    assert "--data 'data;x' --samples 256 -o 'my page.html'" in reporting
