"""The float simulation against the definition, and the neurons that it offers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import snnc
from snnc.common.errors import OptionError, PassError, TargetError
from snnc.compiler.conversion import choose_max_pooling
from snnc.compiler.conversion.float_simulation import NEURONS, simulate, spike_trains
from snnc.compiler.conversion.float_simulation.network import FloatRun
from snnc.compiler.conversion.float_simulation.neurons import send
from snnc.compiler.conversion.solver import solve_channels, spike_counts
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Conv2d, Graph, Input, Linear, Output, Readout, SpikingLayer, execute
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering.merge_linear import MergeLinear
from snnc.compiler.lowering.spiking_layers import FormSpikingLayers
from snnc.program.targets import check_neuron

# Multiples of 1/16, which float64 adds exactly.
sixteenths = st.integers(-48, 48).map(lambda value: value / 16)
trains = st.lists(sixteenths, min_size=1, max_size=24)


def as_double(values: object) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def sent(drive: list[float], threshold: float, potential: float, neuron: str = "if") -> list[float]:
    """One neuron's spikes."""
    result = spike_trains(
        as_double(drive)[:, None, None], as_double(threshold), as_double(potential), len(drive), neuron
    )
    return result[:, 0, 0].tolist()


# ---- one neuron ----


@given(st.lists(sixteenths, min_size=1, max_size=8), st.integers(1, 48), st.integers(0, 16), st.integers(1, 20))
def test_for_constant_input_the_count_is_the_definitions(
    values: list[float], threshold: int, part: int, timesteps: int
) -> None:
    vth, v0 = threshold / 16, part * threshold / 256
    found = spike_trains(as_double(values)[None, None], as_double(vth), as_double(v0), timesteps)
    assert found.shape == (timesteps, 1, len(values))
    assert np.array_equal(found.sum(0)[0].numpy(), spike_counts(values, vth, v0, timesteps))


@given(trains, st.integers(1, 48), st.integers(0, 16), st.sampled_from(NEURONS))
def test_a_neuron_follows_its_equations(drive: list[float], mantissa: int, part: int, neuron: str) -> None:
    threshold, voltage = mantissa / 16, part * mantissa / 256
    expected, memory = [], 0
    potential = voltage
    for each in drive:
        voltage += each
        spike = 1 if voltage >= threshold else 0
        if neuron == "snm" and voltage <= -threshold and memory > 0:
            spike = -1
        memory += spike
        voltage -= spike * threshold
        expected.append(float(spike))
    assert sent(drive, threshold, potential, neuron) == expected


@given(trains, st.integers(1, 48))
def test_a_signed_neurons_count_is_never_negative(drive: list[float], mantissa: int) -> None:
    spikes = sent(drive, mantissa / 16, mantissa / 32, "snm")
    assert (np.cumsum(spikes) >= 0).all()
    assert set(spikes) <= {-1.0, 0.0, 1.0}


def test_a_signed_neuron_takes_back_what_it_sent_too_early() -> None:
    drive = [2.0, -3.0, -2.0, 0.0]
    assert sent(drive, 1.0, 0.5) == [1, 0, 0, 0]
    # 2.5 fires, leaves 1.5; -1.5 takes the spike back, leaves -0.5; then there is nothing left to take back.
    assert sent(drive, 1.0, 0.5, "snm") == [1, -1, 0, 0]


@given(st.lists(st.integers(0, 48).map(lambda value: value / 16), min_size=1, max_size=24), st.integers(1, 48))
def test_without_negative_input_both_neurons_are_one(drive: list[float], mantissa: int) -> None:
    assert sent(drive, mantissa / 16, mantissa / 32) == sent(drive, mantissa / 16, mantissa / 32, "snm")


@pytest.mark.parametrize(("steps", "neuron", "told"), [(0, "if", "steps"), (3, "if", "1 or 3"), (2, "lif", "if, snm")])
def test_what_means_nothing_is_refused(steps: int, neuron: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spike_trains(torch.zeros(2, 1, 1), torch.tensor(1.0), torch.tensor(0.5), steps, neuron)


# ---- a network ----


def residual(seed: int = 0) -> Graph:
    """A convolution, a block with a skip connection, a readout; thresholds of each channel."""
    rng = np.random.default_rng(seed)
    graph = Graph()
    graph.add("input", Input((2, 5, 5)))
    for name, inputs in (("stem", ("input",)), ("first", ("stem",)), ("second", ("first", "stem"))):
        fan = 2 if name == "stem" else 4
        synapses = [Conv2d(rng.normal(0, 0.4, (4, fan, 3, 3)), rng.normal(0, 0.2, 4), padding=(1, 1))]
        if name == "second":
            synapses.append(Conv2d(np.ones((4, 1, 1, 1)), np.zeros(4), groups=4))
        threshold = rng.uniform(0.5, 2, 4)
        graph.add(name, SpikingLayer(tuple(synapses), None, threshold, threshold / 2), inputs)
    graph.add("fc", Readout((Linear(rng.normal(0, 0.3, (3, 100)), rng.normal(0, 0.2, 3)),)), ("second",))
    graph.add("output", Output(), ("fc",))
    return graph


def step_by_step(
    graph: Graph, batch: torch.Tensor, timesteps: int, neuron: str
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """All layers at step 1, then all at step 2, as equation 1 of the paper is written."""
    potential: dict[str, torch.Tensor] = {}
    totals: dict[str, torch.Tensor] = {}
    readout = 0.0
    for _ in range(timesteps):
        values = {"input": batch}
        for node in graph.of_kind(SpikingLayer, Readout):
            drive = node.op.drive(*(values[name] for name in node.inputs))
            if isinstance(node.op, Readout):
                readout = readout + drive / timesteps
                continue
            vth = as_double(node.op.threshold).reshape(-1, 1, 1)
            v = potential.get(node.name, as_double(node.op.initial_potential).reshape(-1, 1, 1)) + drive
            total = totals.get(node.name, torch.zeros_like(v))
            spikes = (v >= vth).double()
            if neuron == "snm":
                spikes = spikes - ((v <= -vth) & (total > 0)).double()
            potential[node.name], totals[node.name] = v - spikes * vth, total + spikes
            values[node.name] = spikes * vth
    return readout, {
        name: totals[name] * as_double(graph[name].op.threshold).reshape(-1, 1, 1) / timesteps for name in totals
    }


@given(
    st.integers(0, 10**6),
    st.sampled_from([(), (7,), (600,), (3, 4, 5), (16, 1, 1), (1, 6, 6), (40, 5, 5)]),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.sampled_from(NEURONS),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_the_fused_loop_is_the_definition(
    seed: int, shape: tuple[int, ...], steps: int, constant: bool, turned: bool, neuron: str, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(seed)
    drive = torch.randn(1 if constant else steps, 3, *shape, generator=generator, dtype=dtype)
    if turned and len(shape) == 3:
        drive = drive.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, drive.shape[:2])
    per_channel = shape[:1] + (1,) * (len(shape) - 1)
    threshold = torch.rand(per_channel, generator=generator, dtype=dtype) + 0.1
    potential = threshold * torch.rand(per_channel, generator=generator, dtype=dtype)
    before = drive.clone()
    found, number = send(drive, threshold, potential, steps, neuron)
    trains = spike_trains(drive, threshold, potential, steps, neuron)
    assert torch.equal(drive, before) and found.dtype == dtype
    assert torch.equal(found, trains * threshold)
    assert number == int(torch.count_nonzero(trains))
    halves = [each.to(torch.bfloat16) for each in (drive, threshold, potential)]
    assert send(*halves, steps, neuron)[0].dtype == torch.bfloat16, "what is not fused goes another way"


@given(st.integers(0, 50), st.integers(1, 9), st.sampled_from(NEURONS))
def test_layer_by_layer_is_step_by_step(seed: int, timesteps: int, neuron: str) -> None:
    graph = residual(seed)
    batch = torch.randn(3, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    readout, rates = step_by_step(graph, batch, timesteps, neuron)
    run = simulate(graph, batch, timesteps, neuron=neuron, keep=rates)
    assert torch.allclose(run.readout, readout, atol=1e-12)
    for name in rates:
        assert torch.allclose(run.rates[name], rates[name], atol=1e-12)
    if neuron == "if":
        units = {name: as_double(graph[name].op.threshold).reshape(-1, 1, 1) / timesteps for name in rates}
        assert run.spikes == {name: round(float((rates[name] / units[name]).sum())) for name in rates}


def test_the_parts_of_a_batch_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, batch = residual(), torch.randn(7, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    whole = simulate(graph, batch, 6, keep=["second"])
    monkeypatch.setattr("snnc.compiler.conversion.float_simulation.network.VALUES_AT_ONCE", 1300)
    parts = simulate(graph, batch, 6, keep=["second"])
    assert torch.allclose(whole.readout, parts.readout, atol=1e-5)
    assert parts.spikes == whole.spikes and torch.equal(parts.rates["second"], whole.rates["second"])


def test_choosing_poolings_simulates_each_layer_once_and_finds_what_whole_runs_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    parts = [[nn.Conv2d(a, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)] for a in (1, 6, 6)]
    network = nn.Sequential(*(part for each in parts for part in each), nn.Flatten(), nn.Linear(6, 3)).eval()
    images = rng.random((12, 1, 8, 8), dtype=np.float32)
    computed: list[str] = []

    def listening(*args: Any, **options: Any) -> FloatRun:
        run = simulate(*args, **options)
        computed.extend(run.spikes)
        return run

    monkeypatch.setattr(choose_max_pooling, "simulate", listening)
    again = snnc.compile(network, images, timesteps=4, threshold="data-driven")
    assert [computed.count(each) for each in ("0", "1", "3", "4", "6", "7")].count(1) == 3, computed
    computed.clear()
    monkeypatch.setattr(choose_max_pooling, "KEPT_VALUES", 0)
    whole = snnc.compile(network, images, timesteps=4, threshold="data-driven")
    assert max(computed.count(each) for each in ("0", "1")) == 6
    tried = again.provenance.pooling
    assert tried == whole.provenance.pooling and len(tried) == 3 and all(len(each.errors) == 2 for each in tried)


def test_with_many_steps_the_network_is_the_ann() -> None:
    graph = residual()
    # Every activation fits below this, and nothing is cut off.
    for node in graph.of_kind(SpikingLayer):
        threshold = np.full(4, 40.0)
        graph.replace(node.name, replace(node.op, threshold=threshold, initial_potential=threshold / 2))
    batch = torch.rand(5, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits = execute(graph, batch)["output"]
    errors = [float((simulate(graph, batch, t, neuron="snm").readout - logits).abs().max()) for t in (64, 1024)]
    assert errors[1] < errors[0] / 4 and errors[1] < 0.1 * float(logits.abs().max())


def test_the_simulation_is_what_the_chips_integers_approximate() -> None:
    """Float and integer networks of the same thresholds predict alike, and their rates are near."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    program = snnc.compile(network, "digits", timesteps=16)
    data = snnc.load_data("digits", split="test").take(100)
    result = snnc.run(program, data, record=True)
    graph = PassManager([MergeLinear(), FormSpikingLayers()]).run(trace(network, (1, 8, 8))).graph
    (layer,), (compiled,) = graph.of_kind(SpikingLayer), program.spiking_layers
    graph.replace(layer.name, replace(layer.op, threshold=compiled.scale, initial_potential=compiled.scale / 2))
    run = simulate(graph, torch.as_tensor(data.images * np.float32(data.unit)), 16, keep=[layer.name])
    rates = result.spikes[0].mean(axis=1) * compiled.scale
    assert np.abs(run.rates[layer.name].numpy() - rates).mean() < 0.02 * compiled.scale.mean()
    assert (run.readout.argmax(1).numpy() == result.predictions).mean() > 0.95


def test_signed_neurons_bring_the_rates_nearer_to_the_activations() -> None:
    graph = residual(3)
    batch = torch.randn(64, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = execute(graph, batch, keep=["stem", "first", "second"])
    for name in ("stem", "first", "second"):
        rows = values[name].transpose(0, 1).flatten(1).numpy()
        threshold = np.array([each.threshold for each in solve_channels(rows, 16, "max")])
        graph.replace(name, replace(graph[name].op, threshold=threshold, initial_potential=threshold / 2))
    errors = {
        neuron: float((simulate(graph, batch, 16, neuron=neuron, keep=["second"]).rates["second"]
                       - values["second"]).abs().mean())
        for neuron in NEURONS
    }  # fmt: skip
    assert errors["snm"] < errors["if"]


def test_a_graph_that_is_not_ready_is_refused_by_name() -> None:
    graph = residual()
    graph.replace("first", replace(graph["first"].op, threshold=None))
    with pytest.raises(PassError, match="first: the layer has no threshold"):
        simulate(graph, torch.zeros(1, 2, 5, 5), 4)
    traced = trace(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), (3,))
    with pytest.raises(PassError, match="0: Linear cannot be simulated"):
        simulate(traced, torch.zeros(1, 3), 4)


# ---- compiling ----


def test_only_the_plain_neuron_compiles() -> None:
    check_neuron("if")
    with pytest.raises(TargetError, match=r"^neuron \(--neuron\): the neuron snm cannot be compiled: .*LIF"):
        snnc.compile(nn.Linear(3, 3), "digits", neuron="snm")
    with pytest.raises(OptionError, match="expected if, sdnn, snm, found 'lif'"):
        check_neuron("lif")
