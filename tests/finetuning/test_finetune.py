"""The network that is fine-tuned is the one that is compiled, and its weights lie on the compiler's grid."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.finetuning import SETTINGS, Branching, converted, trained
from support.networks import randomize
from torch import nn

from snnc.api.compile import compile as compile_network
from snnc.api.run import run
from snnc.common.errors import OptionError, UnsupportedError
from snnc.compiler.conversion.assign import AssignLearnedThresholds
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.ir import IntegrateAndFire as IntegrateAndFireOperation
from snnc.compiler.ir import MaxPool2d
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering.spiking_layers import lowering
from snnc.finetuning.options import KEEP
from snnc.finetuning.quantization import WeightQuantizer
from snnc.finetuning.start import spiking_network
from snnc.inputs.data import calibration_data, raw_values
from snnc.models.data import load_data
from snnc.models.training.session import Data
from snnc.program.targets import get_target
from snnc.reporting.graph import graph_text

# ---- what is trained is what is compiled ----


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([(1, 0), (1, 1), (2, 0), (3, 1), (4, 4)]))
def test_the_float_simulation_of_the_file_is_the_network_that_was_trained(
    tmp_path_factory: pytest.TempPathFactory, seed: int, window: tuple[int, int]
) -> None:
    timesteps, lead = window
    digits = load_data("digits", split="test").take(40)
    chosen = replace(SETTINGS, timesteps=timesteps, lead=lead, calibration_samples=40, mean=(0.4,), std=(0.8,))
    network = spiking_network(randomize(Branching(), seed).eval(), digits, chosen).eval()
    path = tmp_path_factory.mktemp("net") / "net.pt"
    torch.save(network, path)

    read = load_model(path)  # without trust
    raw = raw_values(digits)
    coding = choose_coding(raw, "graded", unit=digits.unit, mean=chosen.mean, std=chosen.std)
    traced = trace(read, raw.shape[1:])
    ways = {node.name: "or" for node in traced.of_kind(MaxPool2d)}
    assert ways
    lowered = PassManager([*lowering(coding, ways), AssignLearnedThresholds(timesteps)]).run(traced).graph
    levels = torch.as_tensor(coding.levels(raw), dtype=torch.float64)
    found = simulate(lowered, levels, timesteps, lead=lead).readout
    images = torch.as_tensor((raw - 0.4) / 0.8, dtype=torch.float64)
    with torch.no_grad():
        expected = read.double().spiking_logits(images)
    # A potential on the threshold's edge may round to either side; it does so in hardly any image.
    close = (found - expected).abs().amax(1) < 1e-9 * expected.abs().max()
    assert close.float().mean() > 0.9


@pytest.mark.parametrize("timesteps", [1, 4])
def test_the_integers_do_what_was_trained(ann: nn.Module, data: Data, timesteps: int) -> None:
    network, history = trained(ann, data, replace(SETTINGS, timesteps=timesteps, quantize=True))
    program = compile_network(network, data.training, timesteps=timesteps, threshold="learned", calibration_samples=64)
    # All images there are: of 100 alone one more or less would be a point.
    digits = load_data("digits", split="test")
    images = torch.as_tensor(raw_values(digits), dtype=torch.float32)
    with torch.no_grad():
        expected = network.spiking_logits(images).argmax(1).numpy()
    result = run(program, digits)
    assert (result.readout.argmax(1) == expected).mean() >= 0.95
    first = len(data.test)
    assert float((expected[:first] == data.test.labels).mean()) == history[-1].test_accuracy


def test_the_conversion_keeps_the_weights(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    weights = [each for each in network.state_dict().values() if each.ndim > 1]
    expected = [each for each in ann.state_dict().values() if each.ndim > 1]
    assert len(weights) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(weights, expected, strict=True))


def test_thresholds_and_potentials_are_those_that_compile_chooses(ann: nn.Module, data: Data) -> None:
    calibration = calibration_data(data.training, 64)
    for chosen in (SETTINGS, replace(SETTINGS, timesteps=4, threshold="max", per_channel=False)):
        network = spiking_network(ann, calibration, chosen)
        program = compile_network(
            ann,
            data.training,
            timesteps=chosen.timesteps,
            threshold=chosen.filled().threshold,
            per_channel=chosen.per_channel,
            calibration_samples=64,
        )
        for population, layer in zip(network.populations, program.spiking_layers, strict=True):
            assert np.allclose(population.threshold.detach().numpy(), layer.scale)


def test_another_t_goes_on_with_weights_and_thresholds(ann: nn.Module, data: Data) -> None:
    first, _ = trained(ann, data)
    second = converted(first, data, replace(SETTINGS, timesteps=2, threshold=KEEP))
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))
    assert [each.steps for each in second.populations] == [2] * len(second.populations)
    third = converted(first, data, replace(SETTINGS, timesteps=2))
    for one, other in zip(first.populations, third.populations, strict=True):
        assert not torch.equal(one.threshold, other.threshold), "data-driven takes them from the drives"
    with pytest.raises(OptionError, match="no thresholds to keep"):
        converted(ann, data, replace(SETTINGS, threshold=KEEP))


def test_compiling_for_another_t_says_so(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    program = compile_network(network, data.training, timesteps=2, threshold="learned", calibration_samples=64)
    assert any("trained for T = 1, not 2" in note for note in program.provenance.notes)
    other = compile_network(network, data.training, timesteps=1, threshold="data-driven", calibration_samples=64)
    assert any("--threshold learned takes" in note for note in other.provenance.notes)


def test_the_default_keeps_the_thresholds_at_the_t_that_they_were_trained_for(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    chosen, learned = (
        compile_network(network, data.training, timesteps=1, threshold=threshold, calibration_samples=64)
        for threshold in ("auto", "learned")
    )
    for one, other in zip(chosen.spiking_layers, learned.spiking_layers, strict=True):
        assert np.array_equal(one.scale, other.scale)
        assert one.threshold == other.threshold and one.initial_potential == other.initial_potential
    another = compile_network(network, data.training, timesteps=2, calibration_samples=64)
    assert any("of the variance of the ANN's output" in note for note in another.provenance.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.potential.data.mul_(100), "out of range"),
        (lambda part: part.threshold.data.neg_(), "out of range"),
        (lambda part: part.threshold.data.fill_(float("nan")), "no threshold of finite numbers"),
        (lambda part: setattr(part, "steps", 0), "steps"),
        (lambda part: setattr(part, "potential", nn.Parameter(torch.zeros(1))), "no potential"),
    ],
)
def test_neurons_out_of_range_in_a_file_are_named(ann: nn.Module, data: Data, change, message: str) -> None:
    network = converted(ann, data)
    change(network.populations[1])
    with pytest.raises(UnsupportedError, match=message):
        trace(network, (1, 8, 8))


def test_neurons_are_one_operation_of_the_graph(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    nodes = trace(network, (1, 8, 8)).of_kind(IntegrateAndFireOperation)
    assert [node.op.timesteps for node in nodes] == [1] * len(network.populations)
    assert not nodes[0].op.keeps(nodes[0].op)
    assert "IntegrateAndFire, T = 1" in graph_text(trace(network, (1, 8, 8)))


def test_what_cannot_be_trained_is_named() -> None:
    digits = load_data("digits", split="test").take(40)
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Flatten())
    with pytest.raises(UnsupportedError, match="module 1: the maximum of something else"):
        spiking_network(pooled, digits, SETTINGS)
    with pytest.raises(UnsupportedError, match="no ReLU"):
        spiking_network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits, SETTINGS)
    with pytest.raises(OptionError, match="lead"):
        spiking_network(pooled, digits, replace(SETTINGS, lead=2))


# ---- rounding ----


def test_rounded_weights_lie_on_the_compiler_s_grid(data: Data) -> None:
    torch.manual_seed(1)
    ann = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, groups=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(72, 20), nn.ReLU(), nn.Linear(20, 10),
    )  # fmt: skip
    network, _ = trained(ann, data, replace(SETTINGS, quantize=True, epochs=1))
    quantizer = WeightQuantizer(network, get_target("loihi2"), torch.tensor([data.training.unit]))
    program = compile_network(network, data.training, timesteps=1, threshold="learned", calibration_samples=64)
    found = [layer.threshold.value for layer in program.spiking_layers if layer.threshold]
    assert found == [round(each) for each in quantizer.thresholds()[:-1]]
    before = copy.deepcopy(network)
    quantizer.write()
    for one, other in zip(before.parameters(), network.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7), "rounding what is rounded changes nothing"
    for (population, synapses), layer in zip(quantizer._layers, program.layers, strict=True):
        (step,) = quantizer._steps(population, synapses)
        levels = (2 * synapses[0].part.weight / step).detach().numpy()
        assert np.allclose(levels, layer.synapses[0].weight, atol=1e-3), "the compiler rounds to the same integers"


def test_the_gradient_passes_rounding(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    quantizer = WeightQuantizer(network, get_target("loihi2"), torch.tensor([1 / 16]))
    rounded = quantizer.rounded()
    assert len(rounded) == 4
    steps = [step for layer in quantizer._layers for step in quantizer._steps(*layer)]
    for (name, weight), step in zip(rounded.items(), steps, strict=True):
        original = network.get_parameter(name)
        assert not torch.equal(weight, original) and bool(((weight - original).abs() <= 1.01 * step).all())
        (gradient,) = torch.autograd.grad((weight * 3).sum(), original)
        assert torch.equal(gradient, torch.full_like(original, 3))
