"""Corrections of layers from calibration data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.pooled import coarse_images, pooled_network

import snnc
from snnc.common.errors import OptionError
from snnc.compiler.compilation import Compilation
from snnc.compiler.conversion.calibration.calibrator import Calibrator
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS, named_corrections
from snnc.compiler.conversion.calibration.corrections.bias import correct_bias
from snnc.compiler.conversion.calibration.corrections.potentials import correct_potentials
from snnc.compiler.conversion.calibration.corrections.spread import SHARE, spread_potentials
from snnc.compiler.conversion.calibration.corrections.thresholds import correct_thresholds
from snnc.compiler.conversion.calibration.corrections.weights import correct_weights
from snnc.compiler.conversion.calibration.layer_data import LayerData, Received, SpikeStore
from snnc.compiler.conversion.float_simulation.neurons import send, spike_trains
from snnc.compiler.ir import Graph, QuantizedLayer, Readout, SpikingLayer
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.layers import dequantized
from snnc.compiler.quantization.normalized import with_outliers_apart
from snnc.inputs.data import as_module
from snnc.runtime.simulator import Simulator

DATA = Path(__file__).parents[1] / "data"
TIMESTEPS = 4


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 40), st.integers(0, 1000))
def test_spikes_come_back_from_their_bits(samples: int, timesteps: int, neurons: int, seed: int) -> None:
    spikes = torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (timesteps, samples, neurons))).float()
    store = SpikeStore(samples, timesteps, (neurons,))
    for sample in range(samples):
        store.put(slice(sample, sample + 1), 3 * spikes[:, sample : sample + 1])
    assert torch.equal(store.get(slice(0, samples)), spikes)


@given(st.integers(1, 6), st.integers(0, 8), st.booleans(), st.integers(0, 1000))
def test_neurons_that_lead_integrate_first(timesteps: int, lead: int, constant: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drive = rng.integers(-4, 8, (1 if constant else timesteps, 2, 3)).astype(np.float32)
    expected = np.zeros((timesteps, 2, 3), np.float32)
    voltage = np.full((2, 3), 3.0)
    for step in range(timesteps + lead):
        if step < timesteps:
            voltage = voltage + drive[0 if constant else step]
        if step >= lead:
            expected[step - lead] = voltage >= 6
            voltage = voltage - 6 * expected[step - lead]
    threshold, potential = torch.tensor([6.0]), torch.tensor([3.0])
    for neuron in ("if", "snm"):
        trains = spike_trains(torch.from_numpy(drive), threshold, potential, timesteps, neuron, lead)
        sent, _ = send(torch.from_numpy(drive), threshold, potential, timesteps, neuron, lead)
        assert torch.equal(sent, 6 * trains)
        if neuron == "if":
            assert np.array_equal(trains.numpy(), expected)


def compiled(*corrections: str, **options: object) -> Compilation:
    chosen = CompileOptions(timesteps=TIMESTEPS, calibrate=corrections, std=(255.0,), **options)
    return compile_module(pooled_network(), coarse_images(96), chosen, unit=1.0)


def float_graph(compilation: Compilation) -> Graph:
    (graph,) = (each.result.graph for each in compilation.records if each.name == "ChooseThresholds")
    return graph


@pytest.fixture(scope="module")
def second_layer() -> LayerData:
    """The second layer, on what the first one sends."""
    compilation = compiled()
    graph, levels = float_graph(compilation), coarse_images(96)
    calibrator = Calibrator(graph, levels, compilation.program.coding, TIMESTEPS, [])
    first, second = graph.of_kind(SpikingLayer)[:2]
    calibrator.send(calibrator.layer(first), first.op)
    return calibrator.layer(second)


def missing(layer: LayerData, op: SpikingLayer) -> tuple[np.ndarray, float]:
    """Mean difference of each channel between activation and rate, and the squared error of all."""
    everything = slice(0, layer.samples)
    with torch.no_grad():
        rates = layer.spikes(op, layer.drive(op, everything)).mean(0)
        difference = (layer.ann_activation(everything) - rates).double()
    return difference.mean(dim=(0, 2, 3)).numpy(), float((difference**2).mean())


def test_bias_correction_takes_the_mean_error_of_every_channel(second_layer: LayerData) -> None:
    op = second_layer.node.op
    with torch.no_grad():
        corrected = correct_bias(second_layer, op)
    before, after = np.abs(missing(second_layer, op)[0]), np.abs(missing(second_layer, corrected)[0])
    assert after.mean() < 0.5 * before.mean() and before.max() > 1e-3
    assert corrected.synapses[0].weight is op.synapses[0].weight


def test_potential_correction_stays_between_nothing_and_the_threshold(second_layer: LayerData) -> None:
    op = replace(second_layer.node.op, initial_potential=np.zeros(8))
    with torch.no_grad():
        corrected = correct_potentials(second_layer, op)
    assert (corrected.initial_potential >= 0).all() and (corrected.initial_potential <= op.threshold).all()
    before, after = (np.abs(missing(second_layer, each)[0]).mean() for each in (op, corrected))
    assert after < 0.5 * before


def test_spread_potentials_give_the_same_sum_later_and_lower_the_error(second_layer: LayerData) -> None:
    op = second_layer.node.op
    with torch.no_grad():
        spread = spread_potentials(second_layer, op)
    given_up = (op.initial_potential - spread.initial_potential) / TIMESTEPS
    assert (given_up > 0).all() and np.allclose(spread.synapses[0].bias - op.synapses[0].bias, given_up)
    assert np.allclose(spread.initial_potential, SHARE * op.initial_potential)
    assert missing(second_layer, spread)[1] < missing(second_layer, op)[1]
    assert np.array_equal(spread.threshold, op.threshold)


@given(st.integers(1, 8), st.integers(-20, 40), st.sampled_from((0.75, 0.5, 0.25, 0.0)))
def test_a_constant_input_fires_as_often_wherever_the_potential_comes_from(
    timesteps: int, drive: int, share: float
) -> None:
    """Unless it must fire in nearly every step: a spike that comes too late is lost."""
    threshold, potential = torch.tensor([32.0 * timesteps]), torch.tensor([16.0 * timesteps])
    given_up = (1 - share) * potential / timesteps
    counts = [
        int(spike_trains((drive * 1.0 * torch.ones(1, 1, 1) + more), threshold, start, timesteps).sum())
        for start, more in ((potential, 0), (potential * share, given_up))
    ]
    assert counts[0] == counts[1]


def test_threshold_correction_lowers_the_error(second_layer: LayerData) -> None:
    op = second_layer.node.op
    poor = replace(op, threshold=op.threshold * 1.9, initial_potential=op.initial_potential * 1.9)
    with torch.no_grad():
        corrected = correct_thresholds(second_layer, poor)
    assert missing(second_layer, corrected)[1] < 0.8 * missing(second_layer, poor)[1]
    assert np.allclose(corrected.initial_potential / corrected.threshold, poor.initial_potential / poor.threshold)
    assert missing(second_layer, correct_thresholds(second_layer, op))[1] <= missing(second_layer, op)[1]


def test_weight_correction_makes_up_for_spikes_that_fall_short() -> None:
    """Rates that are three quarters of the activations: the weights grow by a third."""
    rng = np.random.default_rng(0)
    timesteps, samples = 64, 400
    counts = rng.integers(0, 49, (samples, 10))
    store = SpikeStore(samples, timesteps, (10,))
    trains = np.arange(timesteps)[:, None, None] < counts[None]
    store.put(slice(0, samples), torch.from_numpy(trains))
    activations = torch.from_numpy(counts / timesteps / 0.75).float()
    (node,) = float_graph(compiled()).of_kind(Readout)
    weight = rng.normal(size=(4, 10))
    op = replace(node.op, synapses=(replace(node.op.synapses[0], weight=weight),))
    layer = LayerData(replace(node, op=op), [Received(activations, store, np.ones(10))], samples, timesteps, 0)
    with torch.no_grad():
        corrected = correct_weights(layer, op)
    # The ridge holds them back a little.
    assert np.allclose(corrected.synapses[0].weight, weight / 0.75, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("target", ["loihi2", "loihi1"])
def test_a_dequantised_layer_fires_as_its_integers_do(target: str) -> None:
    compilation = compiled(target=target)
    program, graph, levels = compilation.program, with_outliers_apart(float_graph(compilation)), coarse_images(96)[:16]
    quantized = compilation.records[-1].result.graph
    result = Simulator(program).run(levels, record=True)
    calibrator = Calibrator(graph, levels, program.coding, TIMESTEPS, [])
    thresholds = {graph.input.name: np.full(2, float(program.coding.levels_per_unit))}
    spiking = {layer.name: index for index, layer in enumerate(program.spiking_layers)}
    for node in quantized:
        if not isinstance(node.op, QuantizedLayer):
            continue
        source = node.op.source
        if not isinstance(source, SpikingLayer | Readout):
            calibrator.pass_on(graph[node.name])
            thresholds[node.name] = thresholds[node.inputs[0]]
            continue
        layer = calibrator.layer(graph[node.name])
        shapes = [graph[name].shape for name in node.inputs]
        op = dequantized(source, node.op.layer, [thresholds[name] for name in node.inputs], shapes)
        if isinstance(op, SpikingLayer):
            thresholds[node.name] = op.threshold
            found = layer.spikes(op, layer.drive(op, slice(0, 16))).transpose(0, 1).numpy() != 0
            assert np.array_equal(found, result.spikes[spiking[node.name]])
        calibrator.send(layer, op)


@pytest.mark.parametrize("name", sorted(CORRECTIONS))
def test_each_correction_compiles_and_says_what_it_gained(name: str) -> None:
    compilation = compiled(name)
    (note,) = (each for each in compilation.program.provenance.notes if each.startswith("corrected"))
    assert f"corrected {name} on 96 calibration samples" in note and "->" in note
    figures = compilation.records[-1].result.stats
    assert {"error_before", f"error_{name}"} <= set(figures)
    assert not any(Simulator(compilation.program).run(coarse_images(96)).wraps)


def test_corrections_bring_a_trained_network_s_readout_nearer_to_it() -> None:
    """On images that no layer was corrected on."""
    images = np.load(DATA / "mnist.npz")["x_train"]
    calibration, held_out = images[::2], images[1::2]
    module = as_module(DATA / "lenet.pt").eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(held_out / 255).float()).numpy()
    errors = {}
    for corrections in ((), ("bias",), ("weights", "bias")):
        program = compile_module(
            module, calibration, CompileOptions(timesteps=2, calibrate=corrections, std=(255.0,))
        ).program
        found = program.logits(Simulator(program).run(held_out).readout)
        errors[corrections] = float(((found - expected) ** 2).mean())
    assert errors["weights", "bias"] < errors["bias",] < errors[()]


def test_corrections_are_the_same_each_time() -> None:
    first, second = (compiled("weights", "bias").program for _ in range(2))
    for one, other in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(one.bias, other.bias)
        assert all(np.array_equal(a.weight, b.weight) for a, b in zip(one.synapses, other.synapses, strict=True))


def test_an_unknown_correction_is_refused() -> None:
    with pytest.raises(OptionError, match=r"calibrate \(--calibrate\): unknown correction.*weights, thresholds"):
        compiled("magic")


@pytest.mark.parametrize("names", ["all", ["all"], "bias, all", list(CORRECTIONS)])
def test_all_stands_for_every_correction(names: str | list[str]) -> None:
    assert named_corrections(names) == tuple(CORRECTIONS)


def test_corrections_may_be_named_as_on_the_command_line() -> None:
    program = snnc.compile(pooled_network(), coarse_images(96), timesteps=2, calibrate="bias,weights", std=255.0)
    assert program.provenance.options["calibrate"] == ("bias", "weights")
    expected = snnc.compile(pooled_network(), coarse_images(96), timesteps=2, calibrate=["bias", "weights"], std=255.0)
    assert np.array_equal(program.layers[0].bias, expected.layers[0].bias)


def test_rates_are_told_in_spikes_and_in_activations(second_layer: LayerData) -> None:
    """Regression: weights count thresholds for each spike, so what rounding them is judged on must be spikes."""
    (source,) = second_layer.sources
    everything = slice(0, second_layer.samples)
    spikes, rates = source.spike_rates(everything), source.rates(everything)
    assert 0 < spikes.max() <= 1
    threshold = torch.as_tensor(source.threshold, dtype=torch.float32).reshape(-1, 1, 1)
    assert torch.allclose(spikes * threshold, rates)
