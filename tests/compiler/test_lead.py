"""Layers that integrate before they fire: the definition, its bounds, its file, and where it shows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from support.branching import branching
from support.damage import attribute
from support.programs import LIMIT, levels_for, programs
from support.reference import reference
from torch import nn

import snnc
from snnc.cli import main
from snnc.common.errors import FormatError, OptionError, TargetError
from snnc.compiler.quantization.membranes import measure_membranes
from snnc.program import Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.bounds import highest_silenced, lowest_silenced, window
from snnc.program.net import load, save
from snnc.program.net.writer import to_bytes
from snnc.program.targets import LOIHI2, get_target
from snnc.runtime.energy import count_operations
from snnc.runtime.simulator import Simulator
from snnc.runtime.simulator.simulator import Batch
from snnc.runtime.simulator.steps import Span


def chain(*, timesteps: int, lead: int, gate: int = 255, weight: int = 2, bias: int = 0, theta: int = 10) -> Program:
    """One input, one neuron, one readout that counts its spikes, twice each."""

    def layer(index: int, weight: int, threshold: Scaled | None, bias: int) -> Layer:
        return Layer(
            name=f"layer{index}",
            modules=(),
            shape=(1,),
            synapses=(Synapse(index - 1, "dense", np.array([[weight]], np.int16)),),
            bias=np.array([bias], np.int32),
            threshold=threshold,
            initial_potential=0,
            gate=Gate(Scaled.below(gate, LOIHI2), 1) if threshold else None,
            scale=np.ones(1),
            membrane=Membrane((0, 0)),
        )

    ones = np.ones(1)
    coding = InputCoding("graded", (1,), ones, 0 * ones, ones, 0 * ones)
    layers = (layer(0, weight, Scaled.below(theta, LOIHI2), bias), layer(1, 2, None, 0))
    return Program("loihi2", timesteps, coding, layers, (), Provenance("", "", "", 0), lead)


@pytest.mark.parametrize(
    ("lead", "spikes"),
    # Each step adds 6: without lead 6, 12 -> 2, 8, 14 -> 4; with lead 1 the first spike may come of 12, and a step
    # without input follows; with lead 4 all 24 are there before the first one.
    [(0, [0, 1, 0, 1]), (1, [1, 0, 1, 0]), (2, [1, 1, 0, 0]), (4, [1, 1, 0, 0])],
)
def test_a_spike_knows_the_input_of_some_steps_more(lead: int, spikes: list[int]) -> None:
    result = Simulator(chain(timesteps=4, lead=lead)).run(np.array([[3]], np.uint8), record=True)
    assert result.spikes[0].ravel().tolist() == spikes
    assert result.readout.tolist() == [[2 * sum(spikes)]] and result.wraps == (0, 0)


@given(st.integers(1, 9), st.data())
def test_the_steps_of_a_window(timesteps: int, data: st.DataObject) -> None:
    lead = data.draw(st.integers(0, timesteps))
    first = data.draw(st.integers(0, timesteps + lead - 1))
    end = data.draw(st.integers(first + 1, timesteps + lead))
    span, steps = Span(first, end, timesteps, lead), range(first, end)
    assert span.arriving == sum(step < timesteps for step in steps)
    assert span.silent == sum(step < lead for step in steps)
    assert list(range(span.spikes.start, span.spikes.stop)) == [step - lead for step in steps if step >= lead]
    assert span.is_last == (end == timesteps + lead)


@given(programs(leads=True))
def test_depths_are_when_input_arrives(program: Program) -> None:
    """Spikes are followed step by step through the delays: all that a layer reads of a step arrives together."""
    assert program.interval == program.timesteps + program.lead + 1
    for index, layer in enumerate(program.layers):
        arrivals = set()
        for synapse in layer.synapses:
            source = synapse.source
            sent = -1 if source < 0 else program.depths[source]
            if source >= 0 and not program.layers[source].memoryless:
                sent += program.lead
            delay = program.delay(index, synapse)
            assert delay >= synapse.hold
            arrivals.add(sent + 1 + delay)
        assert arrivals == {program.depths[index]}
        assert program.delay(index, layer.synapses[0]) == layer.synapses[0].hold
    assert program.latency == program.depths[-1] + 1 + program.timesteps


def closed_failures(program: Program, levels: np.ndarray) -> list[int]:
    """How often each gate lets a neuron fire, or wraps it, while it is closed or blank, for potentials in range."""
    spikes, _, _ = reference(program, levels)
    sources = [program.coding.spikes(levels, program.timesteps), *spikes]
    found = []
    for index, layer in enumerate(program.layers):
        if layer.gate is None:
            found.append(0)
            continue

        def silenced(values: np.ndarray, layer: Layer = layer) -> int:
            closed = values - layer.gate.value
            return int(((closed >= layer.firing_level) | (closed <= -LIMIT)).sum())

        drives = np.zeros((len(levels), program.timesteps, *layer.shape), np.int64) + layer.bias
        for synapse in layer.synapses:
            matrix = synapse.matrix(program.source_shape(synapse.source)).astype(np.int64)
            arrived = sources[synapse.source + 1].reshape(len(levels), program.timesteps, -1).astype(np.int64)
            drives += ((arrived @ matrix.T.toarray()) << synapse.exponent).reshape(drives.shape)
        end = drives.sum(1) - layer.threshold.value * spikes[index].sum(1)
        blank = end if program.lead else end + layer.bias
        found.append(silenced(drives.cumsum(1)[:, : program.lead]) + silenced(blank))
    return found


@given(programs(leads=True), st.booleans())
def test_gates_that_cannot_hold_a_layer_closed_are_counted(program: Program, native: bool) -> None:
    levels = levels_for(program, 3)
    _, _, ranges = reference(program, levels)
    assume(all(low > -LIMIT and high < LIMIT for low, high in ranges))
    assert list(Simulator(program, native=native).run(levels).wraps) == closed_failures(program, levels)


@pytest.mark.parametrize(("gate", "failures"), [(100, 0), (51, 0), (50, 1), (20, 2), (9, 2)])
def test_a_gate_must_hold_whatever_arrives_before_a_layer_may_fire(gate: int, failures: int) -> None:
    # 30 and 60 are there in the two steps of the lead, and 10 is the firing level: 60 - gate < 10 is needed. In the
    # blank step 60 - 2 * 10 is left.
    program = chain(timesteps=2, lead=2, gate=gate)
    wraps = Simulator(program).run(np.array([[15]], np.uint8)).wraps
    blank = 40 - gate >= 10
    assert wraps == (failures + blank, 0)


drives = st.integers(-50, 50)
neurons = st.integers(1, 40).flatmap(lambda theta: st.tuples(st.just(theta), st.integers(0, theta - 1)))


@given(st.tuples(drives, drives).map(sorted), neurons, st.lists(st.floats(0, 1), min_size=1, max_size=16), st.data())
def test_no_input_takes_the_potential_out_of_its_bounds(
    drive, neuron, shares: list[float], data: st.DataObject
) -> None:
    (low, high), (theta, potential) = drive, neuron
    lead = data.draw(st.integers(1, len(shares)))
    inputs = [round(low + share * (high - low)) for share in shares]
    bounds = window(low, high, theta, theta - potential, len(inputs), lead)
    u, seen, closed = 0, [0], [0]
    for step, each in enumerate([*inputs, *[0] * lead]):
        u += each
        seen.append(u)
        if step < lead:
            closed.append(u)
        elif u >= theta - potential:
            u -= theta
            seen.append(u)
    assert bounds.low <= min(seen) and max(seen) <= bounds.high
    assert u <= bounds.end and max(closed) <= bounds.closed
    assert max(*closed[1:], u) <= highest_silenced(bounds, 0, lead)
    assert min(*closed[1:], u) >= lowest_silenced(bounds, 0, lead)


@given(st.integers(1, 50), neurons, st.integers(1, 16), st.data())
def test_the_largest_input_reaches_the_bound_of_a_closed_layer(high: int, neuron, steps: int, data) -> None:
    theta, potential = neuron
    lead = data.draw(st.integers(1, steps))
    bounds = window(-high, high, theta, theta - potential, steps, lead)
    assert bounds.closed == lead * high and bounds.low <= -high * lead
    assert bounds.high >= lead * high


def test_a_window_without_lead_is_what_it_was() -> None:
    assert window(-3, 5, 4, 2, 6) == window(-3, 5, 4, 2, 6, 0)
    assert window(-3, 5, 4, 2, 6).low == -2 - 6 * 3 and window(-3, 5, math.inf, math.inf, 6).high == 30


def test_a_program_without_lead_has_the_file_that_it_had(tmp_path: Path) -> None:
    plain = to_bytes(branching())
    assert b"lead" not in plain
    save(replace(branching(), lead=3), tmp_path / "led.net")
    assert load(tmp_path / "led.net").lead == 3
    save(branching(), tmp_path / "plain.net")
    assert load(tmp_path / "plain.net").lead == 0


@pytest.mark.parametrize("lead", [0, -1, 8])
def test_a_lead_out_of_range_is_refused(tmp_path: Path, lead: int) -> None:
    save(branching(), tmp_path / "led.net")
    with h5py.File(tmp_path / "led.net", "r+") as file:
        attribute("snnc", "lead", lead)(file)
    with pytest.raises(FormatError, match=r"lead is out of range \(expected 1..7"):
        load(tmp_path / "led.net")


def test_the_first_synapse_reads_what_sends_last(tmp_path: Path) -> None:
    """With lead a layer that fires is deeper than a memoryless one; the file says so, or is refused."""
    program = branching()
    meeting = program.layers[3]
    assert {program.delay(3, each) for each in meeting.synapses[:2]} == {0}
    swapped = replace(meeting, synapses=(meeting.synapses[1], meeting.synapses[0], meeting.synapses[2]))
    layers = (*program.layers[:3], swapped, program.layers[4])
    save(replace(program, layers=layers), tmp_path / "plain.net")
    assert load(tmp_path / "plain.net").depths[3] == 2
    with pytest.raises(FormatError, match="the first synapse does not read the deepest layer"):
        save(replace(program, layers=layers, lead=2), tmp_path / "led.net")
    assert not (tmp_path / "led.net").exists()


@pytest.mark.parametrize(("target", "timesteps", "lead"), [("loihi1", 4, 2), ("loihi2", 8, 8), ("loihi2", 3, 1)])
def test_a_compiled_network_leads(target: str, timesteps: int, lead: int, tmp_path: Path) -> None:
    program = snnc.compile(network(), "digits", target=target, timesteps=timesteps, lead=lead, calibration_samples=64)
    assert program.lead == lead and program.provenance.options["lead"] == lead
    levels = levels_for(program, 8) % (program.coding.highest + 1)
    spikes, readout, _ = reference(program, levels)
    result = Simulator(program).run(levels, record=True)
    assert np.array_equal(result.readout, readout) and all(map(np.array_equal, result.spikes, spikes))
    assert sum(each.sum() for each in spikes) > 100
    program.save(tmp_path / "a.net")
    load(tmp_path / "a.net").save(tmp_path / "b.net")
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()
    assert "lead" not in snnc.compile(network(), "digits", timesteps=2, calibration_samples=64).provenance.options


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 12), nn.ReLU(),
        nn.Linear(12, 10),
    ).eval()  # fmt: skip


def test_balanced_gates_hold_on_the_calibration_data() -> None:
    program = snnc.compile(network(), "digits", timesteps=8, lead=4, calibration_samples=64)
    levels = program.coding.levels(snnc.load_data("digits", split="train").take(64).images)
    weak = tuple(replace(each, gate=Gate(Scaled(1, 0), 1)) if each.gate else each for each in program.layers)
    assert any(Simulator(replace(program, layers=weak)).run(levels).wraps)
    found = measure_membranes(replace(program, layers=weak), levels, get_target("loihi2"))
    measured, wraps = found.program, found.wraps
    assert not any(wraps) and not any(Simulator(measured).run(levels).wraps)


@pytest.mark.parametrize("lead", [-1, 5])
def test_a_lead_that_cannot_be_is_refused(lead: int) -> None:
    with pytest.raises(OptionError, match=r"lead \(--lead\): is out of range .*0\.\.4"):
        snnc.compile(network(), "digits", timesteps=4, lead=lead)


def test_stops_are_refused_with_lead_but_for_the_end() -> None:
    simulator = Simulator(chain(timesteps=4, lead=2))
    levels = np.array([[3]], np.uint8)
    with pytest.raises(OptionError, match="stop at: is for programs without lead"):
        simulator.run(levels, stop_at=[2])
    assert not simulator.run(levels, stop_at=[4]).earlier


def test_updates_of_neurons_are_those_of_all_steps_of_a_window() -> None:
    program = chain(timesteps=4, lead=2)
    levels = np.array([[3], [5]], np.uint8)
    counts = count_operations(program, Simulator(program).run(levels))
    # The neuron leads, six steps for each sample; the readout does not, but is updated in them all the same.
    assert counts.active_updates + counts.inactive_updates == 2 * 2 * 6


def test_the_command_line_shows_what_lead_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(network(), tmp_path / "model.pt")
    net = str(tmp_path / "led.net")
    compiled = ["compile", str(tmp_path / "model.pt"), "--calib", "digits", "-T", "4", "--lead", "2", "-o", net]
    report = ["--report", str(tmp_path / "page.html"), "--calib-samples", "64", "--max-pool", "or"]
    timing = "T = 4, lead 2, 7 steps a sample, 12 until its result"
    assert main([*compiled, *report]) == 0
    assert timing in " ".join(capsys.readouterr().out.split())
    assert timing in (tmp_path / "page.html").read_text(encoding="utf-8")
    for command in (
        ["inspect", net],
        ["run", net, "--data", "digits", "--samples", "20"],
        ["validate", net, "--model", str(tmp_path / "model.pt"), "--data", "digits", "--samples", "20", "--no-lava"],
    ):
        assert main(command) == 0
        assert timing in " ".join(capsys.readouterr().out.split())
        assert main([*command, "--json"]) == 0
        form = json.loads(capsys.readouterr().out)
        expected = {"timesteps": 4, "lead": 2, "steps_per_sample": 7, "latency": 12}
        assert {name: form[name] for name in expected} == expected
    assert main(["run", net, "--data", "digits", "--stop-at", "2"]) == 2
    assert "stop at: is for programs without lead" in capsys.readouterr().err
    assert main([*compiled[:4], "-T", "4", "--lead", "5"]) == 2
    assert "lead (--lead): is out of range" in capsys.readouterr().err


@given(programs(leads=True), st.integers(1, 5))
def test_what_waits_for_a_longer_path_fits_into_what_was_planned(program: Program, steps: int) -> None:
    simulator = Simulator(program)
    batch = Batch(program, simulator._kernels, levels_for(program, 1), torch.device("cpu"))
    without_lead = Simulator(replace(program, lead=0))
    planned = simulator._demand.sample - without_lead._demand.sample
    while not batch.is_done:
        assert list(batch.advance(steps))
        waiting = [each._spikes for each in batch._waiting.values() if each._spikes is not None]
        assert all(each.untyped_storage().nbytes() == each.numel() for each in waiting)
        assert sum(each.numel() for each in waiting) <= planned
    assert all(each._spikes is None for each in batch._waiting.values())


class ReadsInputTwice(nn.Module):
    """A second layer that reads the input beside the first one; with a long lead the input has to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.end = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first(x))
        return self.end(torch.relu(self.second(torch.cat((x, y), 1))).flatten(1))


def test_input_that_has_to_wait_too_long_goes_through_relays_where_they_can_pass_it_on() -> None:
    torch.manual_seed(0)
    module = ReadsInputTwice().eval()
    levels = np.random.default_rng(0).integers(0, 256, (16, 1, 6, 6)).astype(np.uint8)
    program = snnc.compile(module, levels, target="loihi1", timesteps=64, lead=64)
    relay = next(each for each in program.layers if each.memoryless)
    assert relay.synapses[0].source == -1 and relay.synapses[0].hold == 62
    result = Simulator(program).run(levels[:4], record=True)
    # It repeats the input's spikes, each in the same step.
    index = program.layers.index(relay)
    assert np.array_equal(result.spikes[index], program.coding.spikes(levels[:4], 64) > 0)
    with pytest.raises(TargetError, match=r"input: would have to wait .*at most 62 steps.*smaller lead"):
        snnc.compile(module, levels, target="loihi2", timesteps=64, lead=64)
