"""The arithmetic of the pipeline, without Lava."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snnc.runtime.lava.schedule import UNIT, Schedule

SCHEDULES = st.builds(Schedule, st.integers(1, 64), st.integers(2, 80), st.integers(1, 20))


def firing_steps(start: int, threshold: int, steps: int) -> list[int]:
    """Steps, from 1, at which a LIF that rises by one unit a step fires; it falls to zero then."""
    voltage, fired = start, []
    for step in range(1, steps + 1):
        voltage += UNIT
        if voltage > threshold * UNIT:
            fired.append(step)
            voltage = 0
    return fired


@given(SCHEDULES, st.data())
def test_the_bias_arrives_in_every_step_from_the_first_window_on(schedule: Schedule, data: st.DataObject) -> None:
    layer = data.draw(st.integers(0, schedule.depth - 1))
    arrivals = [step + 1 for step in firing_steps(schedule.bias_start(layer), 0, schedule.steps)]
    first_active = layer + 2
    assert arrivals == list(range(first_active, schedule.steps + 2))


@given(SCHEDULES, st.data())
def test_the_gate_arrives_in_the_blank_step_behind_every_window(schedule: Schedule, data: st.DataObject) -> None:
    layer = data.draw(st.integers(0, schedule.depth - 1))
    horizon = schedule.steps + schedule.interval
    arrivals = [step + 1 for step in firing_steps(schedule.gate_start(layer), schedule.timesteps, horizon)]
    # A window's slice counts from 0, Lava's steps from 1, so the slice's end is the last step of the window.
    blanks = [schedule.window(layer, sample).stop + 1 for sample in range(schedule.samples)]
    assert arrivals[: len(blanks)] == blanks


@given(SCHEDULES)
def test_the_run_ends_as_the_readout_has_seen_the_last_sample(schedule: Schedule) -> None:
    assert schedule.window(schedule.depth - 1, schedule.samples - 1).stop == schedule.steps


@given(SCHEDULES)
def test_each_sample_is_read_in_the_last_step_of_its_window(schedule: Schedule) -> None:
    # Lava's Read reads after step s where (s - 1) % interval == offset.
    reads = [step for step in range(1, schedule.steps + 1) if (step - 1) % schedule.interval == schedule.read_offset]
    ends = [schedule.window(schedule.depth - 1, sample).stop for sample in range(schedule.samples)]
    assert reads[schedule.reads_before :] == ends
