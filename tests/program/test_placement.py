"""Where layers go on the chip: against counts over the written-out connections."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.branching import branching
from support.programs import programs
from torch import nn

import snnc
from snnc.common.errors import TargetError
from snnc.program import Program
from snnc.program.placement import RULES, Cut, Placement, place
from snnc.program.targets import LOIHI1, LOIHI2, Target
from snnc.reporting.placement import placement_table
from snnc.reporting.placement_picture import plot_placement
from snnc.runtime.energy import count_synapses


def blocks_of(cut: Cut, shape: tuple[int, ...]) -> np.ndarray:
    """For each neuron, flattened channel first, the number of its block."""
    channels, rows, columns = shape if len(shape) == 3 else (*shape, 1, 1)
    places = np.indices((channels, rows, columns))
    counts = (cut.channels, cut.rows, cut.columns)
    # Range i is [i * size // count, (i + 1) * size // count).
    which = [
        np.array([next(i for i in range(count) if place < (i + 1) * size // count) for place in range(size)])[axis]
        for axis, count, size in zip(places, counts, (channels, rows, columns), strict=True)
    ]
    return ((which[0] * counts[1] + which[1]) * counts[2] + which[2]).ravel()


def check_counts(program: Program, placement: Placement) -> None:
    """Every count, from the connections one by one; weights of zero are connections too."""
    blocks = [blocks_of(placed.cut, program.layers[placed.index].shape) for placed in placement.layers]
    leaving = [np.zeros(placed.cut.parts, np.int64) for placed in placement.layers]
    for placed, layer, block in zip(placement.layers, program.layers, blocks, strict=True):
        axons, pairs = np.zeros(placed.cut.parts, np.int64), 0
        for synapse in layer.synapses:
            everywhere = dataclasses.replace(synapse, weight=np.ones_like(synapse.weight))
            matrix = everywhere.matrix(program.source_shape(synapse.source)).tocoo()
            pairs += matrix.nnz
            reading = set(zip(block[matrix.row].tolist(), matrix.col.tolist(), strict=True))
            for part, neuron in reading:
                axons[part] += 1
                if synapse.source >= 0:
                    leaving[synapse.source][blocks[synapse.source][neuron]] += 1
        own = layer.threshold is not None and not layer.memoryless
        neurons = np.bincount(block, minlength=placed.cut.parts)
        assert np.array_equal(placed.demand.neurons.ravel(), neurons)
        expected = axons + own * neurons + program.control_synapses(placed.index)
        assert np.array_equal(placed.demand.input_axons.ravel(), expected)
        leaving[placed.index] += own * neurons
        assert pairs == count_synapses(program)[placed.index]
    for placed, expected in zip(placement.layers, leaving, strict=True):
        assert np.array_equal(placed.demand.output_axons.ravel(), expected)


tight = st.builds(
    lambda neurons, axons, memory: dataclasses.replace(
        LOIHI1,
        neurons_per_core=neurons,
        input_axons_per_core=axons,
        output_axons_per_core=axons,
        memory_per_core=memory,
    ),
    st.integers(1, 300),
    st.integers(60, 2000),
    st.integers(200, 4000),
)


@given(programs(), tight)
def test_counts_are_those_of_the_connections(program: Program, target: Target) -> None:
    placement = place(program, target)
    if not placement.errors():
        check_counts(program, placement)
        for placed in placement.layers:
            assert all(rule.load(placed.demand, target) <= 1 for rule in RULES)
            assert placed.demand.neurons.sum() == program.layers[placed.index].neurons


@given(programs(), tight)
def test_what_does_not_fit_breaks_a_rule_with_blocks_of_one_neuron(program: Program, target: Target) -> None:
    for placed in place(program, target).layers:
        if placed.broken:
            assert placed.broken.load(placed.demand, target) > 1
            assert placed.demand.neurons.max() == 1


def test_branches_concatenations_and_delays() -> None:
    program = branching()
    check_counts(program, place(program, LOIHI2))
    check_counts(program, place(program, dataclasses.replace(LOIHI1, neurons_per_core=7)))


def test_a_cut_grows_until_every_range_is_one() -> None:
    cut: Cut | None = Cut()
    counts = []
    while cut is not None:
        assert cut.channels == cut.columns == 1
        counts.append(cut.rows)
        cut = cut.finer("rows", (4, 11, 3))
    # Seven to ten ranges of eleven rows have one of two rows, as six have.
    assert counts == [1, 2, 3, 4, 6, 11]
    assert Cut().finer("rows", (5,)) is None


def test_a_layer_that_fits_a_core_takes_one_and_no_two_layers_share() -> None:
    program = branching()
    placement = place(program, LOIHI2)
    assert {placed.cores for placed in placement.layers} == {1}
    assert placement.cores == len(program.layers) + placement.control_cores
    assert placement.control_cores == 1 and placement.chips == 1


def test_the_error_names_layer_rule_used_and_available() -> None:
    target = dataclasses.replace(LOIHI1, input_axons_per_core=20)
    errors = place(branching(), target).errors()
    assert errors
    with pytest.raises(
        TargetError, match=r"module.* fit a core of loihi1: input axons \(expected at most 20, found \d"
    ):
        raise errors[0]


def test_a_delayed_weight_takes_more_memory() -> None:
    program = branching()
    layer = program.layers[3]
    held = dataclasses.replace(layer.synapses[0], hold=3)
    layers = (
        *program.layers[:3],
        dataclasses.replace(layer, synapses=(held, *layer.synapses[1:])),
        *program.layers[4:],
    )
    later = dataclasses.replace(program, layers=layers)
    memories = [place(each, LOIHI2).layers[3].demand.memory.sum() for each in (program, later)]
    assert memories[1] > memories[0]


def test_the_picture_and_the_table_show_all_layers(tmp_path: Path) -> None:
    program = branching()
    placement = place(program, dataclasses.replace(LOIHI1, neurons_per_core=40))
    assert placement.cores > len(program.layers) + 1
    plot_placement(placement, tmp_path / "cores.svg", title="branching")
    picture = (tmp_path / "cores.svg").read_text(encoding="utf-8")
    # Letters are drawn as paths, with what they say in a comment.
    assert "<!-- chip 1 -->" in picture
    for index, layer in enumerate(program.layers):
        assert f"<!-- {index}  layer {layer.name} -->" in picture
        # The scale begins with 0.
        assert picture.count(f"<!-- {index} -->") == placement.layers[index].cores + (index == 0)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(placement_table(placement))
    text = console.export_text()
    for placed, layer in zip(placement.layers, program.layers, strict=True):
        row = next(line for line in text.splitlines() if line.startswith(layer.name))
        assert f" {placed.cores} " in row


def test_compile_refuses_what_fits_no_core_unless_told_to_go_on() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 80, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(80 * 64, 10))
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8)).astype(np.uint8)
    with pytest.raises(TargetError, match=r"module 3: .*loihi1: input axons .*4,096, found 5,12\d .*; let each neuron"):
        snnc.compile(module, images, timesteps=2, target="loihi1")
    program = snnc.compile(module, images, timesteps=2, target="loihi1", allow_oversize=True)
    assert any("does not fit a core of loihi1" in note for note in program.provenance.notes)
    assert snnc.run(program, images).samples == 4
    # Loihi 2's limits of axons are not published.
    assert not place(snnc.compile(module, images, timesteps=2), LOIHI2).errors()
