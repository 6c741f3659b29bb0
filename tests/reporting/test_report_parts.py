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
from support.residual import program_with_lead, resnet20_and_noise

import snnc
from snnc.common.plotting import picture_address
from snnc.program import Layer, Program
from snnc.program.targets import get_target
from snnc.reporting.diagram import Box, diagram_strips
from snnc.reporting.page.reproduce import Sources, commands
from snnc.reporting.wording import membrane_bits, weight_bits
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


@pytest.fixture(scope="module")
def led() -> Program:
    return program_with_lead(*resnet20_and_noise())


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
    samples = led.provenance.calibration_samples
    begins = f"snnc compile 'my model.pt' --arch resnet20 --trust --calib DATA --calib-samples {samples} "
    assert compiling.startswith(begins)
    assert " --lead 2 " in compiling and " -T 4 " in compiling and " --allow-oversize -o 'a b.net'" in compiling
    assert "--data 'data;x' --report-samples 256 -o 'my page.html'" in reporting
