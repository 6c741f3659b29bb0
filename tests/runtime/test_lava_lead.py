"""Lava fires every spike of the simulator where layers integrate before they fire."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from support.branching import branching
from support.examples import share
from support.networks import Case, dense_cases, image_cases, pooled_cases
from support.programs import levels_for, programs
from support.progress import Heard
from support.residual import residual
from support.runs import assert_equal_runs

from snnc.common.errors import TargetError, UnsupportedError
from snnc.compiler.lowering.spiking_layers import AlignPaths
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.program import Gate, Program, Scaled
from snnc.runtime.lava import run_lava
from snnc.runtime.lava.network import open_network
from snnc.runtime.options import LavaOptions
from snnc.runtime.simulator import Simulator


@pytest.mark.lava
@pytest.mark.timeout(600)
@settings(max_examples=share(5))
@given(
    st.one_of(image_cases(), pooled_cases(), dense_cases()),
    st.integers(1, 8),
    st.sampled_from(["loihi1", "loihi2"]),
    st.data(),
)
def test_random_networks(case: Case, timesteps: int, target: str, data: st.DataObject) -> None:
    lead = data.draw(st.integers(1, timesteps))
    options = CompileOptions(target=target, timesteps=timesteps, lead=lead)
    try:
        program = compile_module(case.module, case.levels / 255, options, unit=1 / 255).program
    except (UnsupportedError, TargetError):
        reject()  # no ReLU, or weights that all round to zero: other tests look at what is refused
    assert_equal_runs(program, program.coding.levels(case.levels[:4] / 255))


@pytest.mark.lava
@pytest.mark.timeout(600)
@settings(max_examples=share(5))
@given(programs(timesteps=8, leads=True))
def test_random_programs(program: Program) -> None:
    levels = levels_for(program, 3)
    # Gates as strong as a membrane allows: those of random programs seldom hold a layer closed.
    strong = Gate(Scaled(200, 7), 2)
    layers = tuple(replace(each, gate=strong) if each.gate else each for each in program.layers)
    program = replace(program, layers=layers)
    assume(program.lead and not any(Simulator(program).run(levels).wraps or ()))
    assert_equal_runs(program, levels)


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("pooling", "target", "timesteps", "lead"),
    [("or", "loihi2", 6, 3), ("exact", "loihi1", 4, 4), ("or", "loihi1", 1, 1), ("exact", "loihi2", 8, 1)],
)
def test_a_residual_network(pooling: str, target: str, timesteps: int, lead: int) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (16, 2, 8, 8)).astype(np.uint8)
    options = CompileOptions(target=target, timesteps=timesteps, max_pool=pooling, lead=lead)
    program = compile_module(residual(), levels / 255, options, unit=1 / 255).program
    delays = {program.delay(index, each) for index, layer in enumerate(program.layers) for each in layer.synapses}
    assert max(delays) > lead
    assert assert_equal_runs(program, program.coding.levels(levels[:3] / 255)) > 100


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_relays_where_paths_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.compiler.front.AlignPaths", lambda _, lead: AlignPaths(2, lead))
    levels = np.random.default_rng(0).integers(0, 256, (16, 2, 8, 8)).astype(np.uint8)
    program = compile_module(
        residual(), levels / 255, CompileOptions(timesteps=4, max_pool="or", lead=3), unit=1 / 255
    ).program
    assert sum(layer.memoryless and ":relay" in layer.name for layer in program.layers) >= 2
    assert max(program.delay(index, each) for index, layer in enumerate(program.layers) for each in layer.synapses) == 2
    assert assert_equal_runs(program, program.coding.levels(levels[:3] / 255)) > 100


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(("timesteps", "lead"), [(1, 1), (2, 1), (5, 3), (8, 7)])
def test_nothing_of_a_sample_reaches_the_next(timesteps: int, lead: int) -> None:
    program = led(timesteps, lead)
    levels = levels_for(program, 6)
    levels[1::2] = 255
    levels[2] = 0
    assert assert_equal_runs(program, levels) > 100


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_workers_give_what_one_network_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody waits long, and all are to be told.
    monkeypatch.setattr("snnc.common.progress.SECONDS_TO_TELL", 1e-9)
    program = led(4, 2)
    levels = levels_for(program, 5)
    heard = Heard()
    found = run_lava(program, levels, LavaOptions(workers=2), progress=heard)
    expected = Simulator(program).run(levels, record=True)
    assert np.array_equal(found.readout, expected.readout)
    assert all(map(np.array_equal, found.spikes or (), expected.spikes or ()))
    assert [text is not None and "for 5 samples" in text for text in heard.said] == [True]


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_a_gate_that_is_too_weak_shows() -> None:
    """What the simulator counts is what goes wrong: a layer that is not held closed fires too early."""
    program = led(5, 3)
    weak = replace(program.layers[1], gate=Gate(Scaled(1, 0), 1))
    program = replace(program, layers=(program.layers[0], weak, *program.layers[2:]))
    levels = levels_for(program, 2)
    simulated = Simulator(program).run(levels, record=True)
    assert simulated.wraps is not None and simulated.wraps[1] > 0
    found = run_lava(program, levels)
    assert found.spikes is not None and simulated.spikes is not None
    assert not np.array_equal(found.spikes[1], simulated.spikes[1])


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_a_sample_takes_its_window_and_a_blank_step() -> None:
    program = led(4, 2)
    with open_network(program, levels_for(program, 3)) as network:
        assert network.schedule.interval == program.interval == 7
        # The last sample begins after two others and takes as long as a first one.
        assert network.schedule.steps == 2 * 7 + program.latency
        network.run(network.schedule.steps)
        assert len(network.readout()) == 3


def led(timesteps: int, lead: int) -> Program:
    """A network with a branch, a pooling and shortcuts, with gates that hold."""
    program = replace(branching(), timesteps=timesteps, lead=lead)
    strong = Gate(Scaled(255, 7), 1)
    layers = tuple(replace(each, gate=strong) if each.gate else each for each in program.layers)
    program = replace(program, layers=layers)
    assert not any(Simulator(program).run(np.full((1, 2, 4, 4), 255, np.uint8)).wraps or ())
    return program
