"""What a report tells, measured: passes, fewer steps, layers, their energy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import levels_for, programs
from support.reports import measured
from support.residual import program_with_lead, resnet20_and_noise

import snnc
from snnc.analysis.conversion import energy_of_layers
from snnc.analysis.conversion.layers import LayerWatch
from snnc.analysis.conversion.passes import pass_outputs
from snnc.analysis.conversion.spiking import (
    CLIPPED,
    FLOAT_SPIKES,
    INTEGERS,
    SpikingStages,
    led_runs,
    replayed_passes,
    stops,
)
from snnc.analysis.diagnosis import diagnose_program
from snnc.analysis.staircase import ROUNDED
from snnc.analysis.validation.spiking import threshold_of
from snnc.api.compile import compile_recorded
from snnc.compiler.conversion.float_simulation import simulate
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.runtime.energy import ENERGY_MODELS, count_operations, estimate_energy, layer_energies
from snnc.runtime.result import decisions
from snnc.runtime.simulator import Simulator


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


@pytest.mark.parametrize("timesteps", [1, 2, 16, 17, 64, 1024])
def test_steps_to_look_at_grow_from_one_to_all(timesteps: int) -> None:
    found = stops(timesteps)
    assert found[0] == 1 and found[-1] == timesteps and len(found) <= 16
    assert list(found) == sorted(set(found))
    if timesteps <= 16:
        assert len(found) == timesteps


@pytest.fixture(scope="module")
def residual() -> tuple[torch.nn.Module, Dataset]:
    return resnet20_and_noise()


@pytest.fixture(scope="module")
def led(residual: tuple[torch.nn.Module, Dataset]) -> Program:
    return program_with_lead(*residual)


def test_passes_that_are_exact_change_no_prediction(residual: tuple[torch.nn.Module, Dataset], led: Program) -> None:
    module, data = residual
    records = replayed_passes(led, module)
    levels = led.coding.levels(data.images * (1 / 255))
    images = torch.as_tensor(data.images.astype(np.float32) / 255)
    with torch.no_grad():
        expected = module.eval()(images).argmax(1).numpy()
    found = list(pass_outputs(SpikingStages(led, levels), records, images))
    *exact, clipped, rounded, spikes = found
    assert [each.record for each in (*exact, spikes)] == list(records)
    assert all(np.array_equal(decisions(each.outputs), expected) for each in exact)
    assert [each.meaning for each in (clipped, rounded, spikes)] == [CLIPPED, ROUNDED, FLOAT_SPIKES]
    assert spikes.record.name == "thresholds of the .net file"
    run = simulate(spikes.record.result.graph, torch.as_tensor(levels, dtype=torch.float32), 4, lead=2)
    assert np.array_equal(decisions(spikes.outputs), run.readout.argmax(1).numpy())
    # The diagnosis replaces activations of the traced network, which computes the same.
    stages = diagnose_program(led, module, data).stages
    assert stages[2].name == ROUNDED and "T + 1 levels" in ROUNDED
    for each, stage in ((clipped, stages[1]), (rounded, stages[2])):
        assert float((decisions(each.outputs) == expected).mean()) == pytest.approx(stage.agreement, abs=1.5 / 24)


def test_a_pass_that_approximates_is_where_predictions_change() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(36, 5)
    ).eval()
    images = np.random.default_rng(0).integers(0, 256, (80, 1, 8, 8)).astype(np.uint8)
    compilation = compile_recorded(module, images, snnc.CompileOptions(timesteps=64, threshold="max", max_pool="avg"))
    program = compilation.program
    assert isinstance(program, Program)
    levels = program.coding.levels(images / 255)
    ann = torch.as_tensor(images / np.float32(255))
    found = list(pass_outputs(SpikingStages(program, levels), compilation.records, ann))
    with torch.no_grad():
        expected = module(ann).argmax(1).numpy()
        module[2] = torch.nn.AvgPool2d(2)
        averaged = module(ann).argmax(1).numpy()
    assert (expected != averaged).any()
    names = [each.record.name for each in found]
    for name, each in zip(names, found, strict=True):
        right = expected if names.index(name) < names.index("LowerMaxPooling") else averaged
        if each.meaning in (FLOAT_SPIKES, ROUNDED, INTEGERS):
            assert (decisions(each.outputs) == right).mean() > 0.85
        else:
            assert np.array_equal(decisions(each.outputs), right), name


def test_with_lead_fewer_steps_are_runs_of_their_own(residual: tuple[torch.nn.Module, Dataset], led: Program) -> None:
    module, data = residual
    report = measured(led, module, data)
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
