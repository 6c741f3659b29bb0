"""The arithmetic of the pipeline, without Lava."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snnc.runtime.lava.schedule import UNIT, Schedule

PLAIN = st.builds(Schedule, st.integers(1, 64), st.integers(2, 80), st.integers(1, 20))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """With lead and without; the readout is deeper than a layer that leads."""
    timesteps = draw(st.integers(1, 64))
    lead = draw(st.integers(0, timesteps))
    return Schedule(timesteps, draw(st.integers(2 + lead, 80 + lead)), draw(st.integers(1, 20)), lead)


def firing_steps(start: int, threshold: int, steps: int) -> list[int]:
    """Steps, from 1, at which a LIF that rises by one unit a step fires; it falls to zero then."""
    voltage, fired = start, []
    for step in range(1, steps + 1):
        voltage += UNIT
        if voltage > threshold * UNIT:
            fired.append(step)
            voltage = 0
    return fired


@given(PLAIN, st.data())
def test_without_lead_the_bias_arrives_in_every_step_from_the_first_window_on(
    schedule: Schedule, data: st.DataObject
) -> None:
    layer = data.draw(st.integers(0, schedule.depth - 1))
    arrivals = [step + 1 for step in firing_steps(schedule.bias_start(layer), 0, schedule.steps)]
    first_active = layer + 2
    assert arrivals == list(range(first_active, schedule.steps + 2))


def clock_arrivals(schedule: Schedule, first: int) -> list[int]:
    """Steps, from 1, in which the pulses of a clock arrive, as many as there are samples."""
    horizon = schedule.steps + 2 * schedule.interval
    fired = firing_steps(schedule.clock_start(first), schedule.interval - 1, horizon)
    assert fired[0] == first
    return [step + 1 for step in fired][: schedule.samples]


@given(schedules(), st.data())
def test_pulses_arrive_as_a_window_opens_as_layers_may_fire_and_in_the_blank_step(
    schedule: Schedule, data: st.DataObject
) -> None:
    layer = data.draw(st.integers(0, schedule.depth - 1))
    # A window's slice counts from 0, Lava's steps from 1.
    starts = [schedule.window(layer, sample).start + 1 for sample in range(schedule.samples)]
    assert starts[0] == schedule.reset_offset(layer)
    assert clock_arrivals(schedule, schedule.closing_pulse(layer)) == starts
    assert clock_arrivals(schedule, schedule.opening_pulse(layer)) == [step + schedule.lead for step in starts]
    blanks = [step + schedule.timesteps + schedule.lead for step in starts]
    assert clock_arrivals(schedule, schedule.blank_pulse(layer)) == blanks
    assert [step + 1 for step in blanks[:-1]] == starts[1:]


@given(schedules(), st.data())
def test_with_lead_the_bias_arrives_with_the_input_and_in_no_other_step(
    schedule: Schedule, data: st.DataObject
) -> None:
    layer = data.draw(st.integers(0, schedule.depth - 1))
    on, off = schedule.bias_switches(layer)
    switched = dict.fromkeys(clock_arrivals(schedule, on), 1) | dict.fromkeys(clock_arrivals(schedule, off), -1)
    current, arrivals = int(schedule.begins_with_bias(layer)), []
    for step in range(1, schedule.window(layer, schedule.samples - 1).stop + 1):
        current += switched.get(step, 0)
        # The neuron fires in this step; what it sends arrives in the next.
        arrivals += [step + 1] * current
    windows = [schedule.window(layer, sample) for sample in range(schedule.samples)]
    assert arrivals == [step + 1 for window in windows for step in range(window.start, window.stop)]


@given(schedules())
def test_the_run_ends_as_the_readout_has_seen_the_last_sample(schedule: Schedule) -> None:
    assert schedule.window(schedule.depth - 1, schedule.samples - 1).stop == schedule.steps


@given(schedules())
def test_each_sample_is_read_in_the_last_step_of_its_window(schedule: Schedule) -> None:
    # Lava's Read reads after step s where (s - 1) % interval == offset.
    reads = [step for step in range(1, schedule.steps + 1) if (step - 1) % schedule.interval == schedule.read_offset]
    ends = [schedule.window(schedule.depth - 1, sample).stop for sample in range(schedule.samples)]
    assert reads[schedule.reads_before :] == ends
