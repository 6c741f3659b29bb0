"""SpikingJelly reads our NIR graphs with its own importer: which spikes it gives, and where they differ from ours.

Skipped where SpikingJelly 2 is not installed; ``make check-nir`` installs it and runs these tests.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from support.programs import levels_for
from support.reference import reference
from torch import nn

import snnc
from snnc.program import Program
from snnc.program.nir import FORMS, export_nir
from snnc.runtime.simulator import Simulator

nir = pytest.importorskip("nir")
exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")

SAMPLES = 20


@pytest.fixture(scope="module")
def program() -> Program:
    """A small network of convolutions and dense layers, with random weights and thresholds for the digits."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(), nn.AvgPool2d(3)),
        *(nn.Flatten(), nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 10)),
    )
    found = snnc.compile(network, "digits", timesteps=8, threshold="data-driven", calibration_samples=100)
    assert all(layer.initial_potential > 0 for layer in found.spiking_layers)
    return found


def some_levels(program: Program) -> np.ndarray:
    """Random input of the range that the network was made for."""
    return levels_for(program, SAMPLES) % (program.coding.highest + 1)


def imported(program: Program, form: str, folder: Path):
    """What SpikingJelly makes of the exported file."""
    path = folder / "graph.nir"
    export_nir(program, path, form)
    return exchange.import_from_nir(path, dtype=torch.float64)


def run(network, program: Program, levels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Spikes of each layer, (samples, T, *shape), and the sum of the outputs."""
    sent: list[list[np.ndarray]] = [[] for _ in program.spiking_layers]

    def keep(index: int, _module, _arguments, result) -> None:
        sent[index].append(result[0].detach().numpy().astype(bool))

    hooks = [
        getattr(network, f"layer{index}").register_forward_hook(partial(keep, index)) for index in range(len(sent))
    ]
    state, total = None, 0
    for step in program.coding.spikes(levels, program.timesteps).swapaxes(0, 1):
        output, state = network(torch.as_tensor(step.astype(np.float64)), state)
        total = total + output.detach().numpy()
    for hook in hooks:
        hook.remove()
    return [np.stack(each, axis=1) for each in sent], total


def same(found: tuple[list[np.ndarray], np.ndarray], spikes: list[np.ndarray], readout: np.ndarray) -> bool:
    """Every spike of every layer at every step, and the readout."""
    return all(np.array_equal(*each) for each in zip(found[0], spikes, strict=True)) and np.array_equal(
        found[1], readout
    )


@pytest.mark.parametrize("form", FORMS)
def test_spikingjelly_reads_the_file(program: Program, tmp_path: Path, form: str) -> None:
    assert imported(program, form, tmp_path) is not None


def test_a_graph_of_cuba_neurons_gives_every_spike_and_the_readout(program: Program, tmp_path: Path) -> None:
    levels = some_levels(program)
    ours = Simulator(program).run(levels, record=True)
    found = run(imported(program, "cuba", tmp_path), program, levels)
    assert same(found, ours.spikes, ours.readout)
    assert sum(each.sum() for each in found[0]) > 1000


def hard_reset(program: Program, levels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The same network with neurons that reset to their zero and start there, from the definition."""
    potentials = [np.zeros((len(levels), *layer.shape), np.int64) for layer in program.layers]
    sent: list[list[np.ndarray]] = [[] for _ in program.spiking_layers]
    # A readout of one layer alone gives what its synapses and its bias add.
    for step in program.coding.spikes(levels, program.timesteps).swapaxes(0, 1):
        values = step
        for index, layer in enumerate(program.layers):
            potentials[index] += drive(program, index, values)
            if layer.threshold is None:
                continue
            fired = potentials[index] >= layer.threshold.value
            potentials[index][fired] = 0
            sent[index].append(fired)
            values = fired.astype(np.uint8)
    return [np.stack(each, axis=1) for each in sent], potentials[-1]


def drive(program: Program, index: int, values: np.ndarray) -> np.ndarray:
    """What one step adds to a layer of a chain."""
    layer = program.layers[index]
    coding = replace(
        program.coding, shape=values.shape[1:], kind="graded", divisor=1, highest=255,
        **{name: np.ones(values.shape[1]) for name in ("unit", "offset", "scale", "shift")},
    )  # fmt: skip
    alone = replace(
        layer, synapses=(replace(layer.synapses[0], source=-1),), threshold=None, initial_potential=0, gate=None
    )
    return Simulator(replace(program, coding=coding, layers=(alone,), timesteps=1)).run(values).readout


def test_graphs_of_if_neurons_differ_in_reset_and_initial_potential_and_in_nothing_else(
    program: Program, tmp_path: Path
) -> None:
    levels = some_levels(program)
    ours = Simulator(program).run(levels, record=True)
    network = imported(program, "if", tmp_path)
    # SpikingJelly resets to v_reset, and starts there: at the zero from which the initial potential is counted.
    found = run(network, program, levels)
    assert same(found, *hard_reset(program, levels))
    assert not same(found, ours.spikes, ours.readout)
    counts = [(int(there.sum()), int(here.sum())) for there, here in zip(found[0], ours.spikes, strict=True)]
    assert all(there < here for there, here in counts), counts
    # With our reset and initial potential, which the nodes' metadata hold, it gives our spikes.
    graph = nir.read(tmp_path / "graph.nir")
    for index in range(len(program.spiking_layers)):
        neurons, metadata = getattr(network, f"layer{index}").module, graph.nodes[f"layer{index}"].metadata
        neurons.v_reset, neurons.v_threshold = None, float(metadata["threshold"])
        neurons.v = float(metadata["initial_potential"])
    assert same(run(network, program, levels), ours.spikes, ours.readout)


def test_the_reference_of_the_tests_agrees_with_the_simulator(program: Program) -> None:
    levels = some_levels(program)[:2]
    spikes, readout, _ = reference(program, levels)
    ours = Simulator(program).run(levels, record=True)
    assert same((spikes, readout), ours.spikes, ours.readout)
