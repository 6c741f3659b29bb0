"""What is computed at once fits into memory, and the result does not depend on it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.programs import levels_for, programs, small_program
from support.progress import Heard
from support.runs import assert_same_run

from snnc.common.errors import OptionError
from snnc.program import Program
from snnc.runtime.simulator import Simulator
from snnc.runtime.simulator.chunks import GAPS, Chunks, Demand, halved, plan


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1024), st.integers(1, 10**6), st.integers(1, 9))
def test_a_plan_stays_within_the_budget_and_wastes_none(
    sample: int, step: int, timesteps: int, memory: int, batch: int
) -> None:
    needed = Demand(sample, step)
    for batch_size in (None, batch):
        least = (batch_size or 1) * (sample + step)
        if memory < least:
            with pytest.raises(OptionError, match="memory: is too small"):
                plan(needed, timesteps, memory, batch_size)
            continue
        chunks = plan(needed, timesteps, memory, batch_size)
        assert 1 <= chunks.steps <= timesteps and chunks.samples == (batch_size or chunks.samples)
        taken = chunks.samples * (sample + chunks.steps * step)
        assert taken <= memory
        if chunks.steps < timesteps:
            assert taken + chunks.samples * step > memory
        elif batch_size is None:
            assert (chunks.samples + 1) * (sample + timesteps * step) > memory


@given(st.integers(1, 20), st.sets(st.integers(1, 64), min_size=1, max_size=5))
def test_parts_of_a_run_end_at_each_stop(steps: int, stops: set[int]) -> None:
    parts = Chunks(1, steps).edges(sorted(stops))
    assert [first for first, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert stops <= {end for _, end in parts} and parts[-1][1] == max(stops)
    assert all(0 < end - first <= steps for first, end in parts)


def test_too_little_memory_is_refused_before_the_run() -> None:
    with pytest.raises(OptionError, match=r"memory: is too small \(expected at least 1 MiB for a step of 1 sample"):
        Simulator(small_program(timesteps=4), memory=100)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    heard = Heard()
    found = Simulator(program, memory=2000).run(levels, batch_size=50, progress=heard)
    assert_same_run(found, Simulator(program).run(levels))
    assert heard.done[0] in (25, 12, 6, 3, 1)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 10**6), st.integers(1, 999))
def test_a_batch_is_halved_no_more_often_than_it_has_to(sample: int, step: int, memory: int, batch: int) -> None:
    found = halved(batch, Demand(sample, step), memory)
    halves = [batch >> times for times in range(batch.bit_length())]
    fitting = [each for each in halves if each * (sample + step) <= memory]
    assert found == (fitting[0] if fitting else 1)


def test_what_memory_does_not_hold_is_refused_before_the_run(monkeypatch) -> None:
    program = small_program(timesteps=4)
    simulator = Simulator(program)
    monkeypatch.setattr("snnc.common.memory.available_memory", lambda device: 1000)
    with pytest.raises(OptionError, match=r"the result of 50 samples: would take more memory .* spikes recorded"):
        simulator.run(levels_for(program, 50), record=True)


def test_without_a_limit_of_the_users_a_batch_takes_what_is_free(monkeypatch) -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    expected = Simulator(program).run(levels)
    monkeypatch.setattr("snnc.runtime.simulator.simulator.available_memory", lambda device: 4000)
    heard = Heard()
    assert_same_run(Simulator(program).run(levels, batch_size=50, progress=heard), expected)
    assert heard.done[0] < 50


def test_a_batch_that_is_wanted_is_computed_with_little_memory_as_well_as_with_much(monkeypatch) -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    expected = Simulator(program).run(levels)
    monkeypatch.setattr("snnc.runtime.simulator.simulator.default_memory", lambda device: 1)
    heard = Heard()
    for memory in (None, 1 << 30):
        assert_same_run(Simulator(program, memory=memory).run(levels, batch_size=25, progress=heard), expected)
    assert heard.done == [25, 50] * 2


@given(programs())
def test_tensors_of_a_step_fit_into_what_was_planned(program: Program) -> None:
    """The bytes of drives and spikes of each layer, and of what waits for a later one."""
    simulator = Simulator(program)
    needed = simulator._demand.step
    for kernel in simulator._kernels:
        inputs = [
            torch.zeros((1, 1, *program.source_shape(each.source)), dtype=torch.uint8) for each in kernel.layer.synapses
        ]
        drive, output = kernel.drive(inputs, 1), kernel.run(inputs, 1)
        sources = {each.source: math.prod(program.source_shape(each.source)) for each in kernel.layer.synapses}
        held = drive.numel() * drive.element_size() + output.spikes.numel() + sum(sources.values())
        assert GAPS * held <= needed + 1
