"""A network in the chip's integers means what its module means, and more steps never make that worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snnc
from snnc.compiler import pipeline
from snnc.compiler.ir import Conv2d, Linear, Sparse
from snnc.compiler.quantization.normalized import Idle, with_outliers_apart, without_idle

SAMPLES, JUDGED = 240, 60


def smooth(channels: int, side: int, seed: int = 0) -> Tensor:
    """Images in 0..1 whose neighbouring pixels are alike."""
    rng = np.random.default_rng(seed)
    coarse = torch.as_tensor(rng.uniform(size=(SAMPLES + JUDGED, channels, 4, 4)), dtype=torch.float32)
    fine = nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    return (fine + 0.1 * torch.as_tensor(rng.uniform(size=fine.shape), dtype=torch.float32)).clamp(0, 1)


def normalised(network: nn.Module, data: Tensor) -> nn.Module:
    """The network, whose normalisations know the data."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.momentum = None
    network.train()
    with torch.no_grad():
        network(data[:SAMPLES])
    return network.eval()


def correlation(network: nn.Module, data: Tensor, timesteps: int, target: str = "loihi2") -> float:
    """Of the outputs of network and module, on samples that compile did not see."""
    program = snnc.compile(network, data[:SAMPLES], timesteps=timesteps, target=target)
    with torch.no_grad():
        wanted = network(data[SAMPLES:]).double().numpy()
    found = program.logits(snnc.run(program, data[SAMPLES:]).readout).reshape(wanted.shape)
    return float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1])


def first_layers(kind: str) -> tuple[nn.Module, Tensor]:
    """A network whose first layer reads much, or entry by entry."""
    torch.manual_seed(0)
    if kind == "dense":
        return nn.Sequential(nn.Flatten(), nn.Linear(1600, 20), nn.ReLU(), nn.Linear(20, 5)), smooth(1, 40)
    if kind == "transposed":
        layers = nn.ConvTranspose2d(1, 4, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 256, 5)
        return nn.Sequential(*layers), smooth(1, 8)
    layers = nn.AvgPool2d(2), nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 64, 5)
    return nn.Sequential(*layers), smooth(1, 16)


@pytest.mark.parametrize("target", ["loihi2", "loihi1"])
@pytest.mark.parametrize("kind", ["dense", "transposed", "pooled"])
def test_a_first_layer_of_any_form_keeps_its_weights(kind: str, target: str) -> None:
    """Regression: dense above 1,152 inputs, or sparse, it got the smallest divisor, and nearly all weights were 0."""
    network, data = first_layers(kind)
    assert correlation(network.eval(), data, 16, target) > 0.97


def test_more_steps_are_never_worse_where_thousands_of_equal_weights_are_read() -> None:
    """Regression: a pooled readout fell from 96 % at T = 8 to 48 % at T = 128, as its weights became 0 or 1."""
    torch.manual_seed(0)
    data = smooth(1, 12)
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(12, 5),
    )  # fmt: skip
    found = [correlation(normalised(network, data), data, timesteps) for timesteps in (8, 32, 128)]
    assert found[0] < found[1] + 0.002 and found[1] < found[2] + 0.002 and found[2] > 0.99


def test_weights_that_read_what_never_fires_do_not_set_the_scale() -> None:
    """Regression: a normalisation after a ReLU divides dead units by almost 0, and all other weights became 0."""
    torch.manual_seed(0)
    data = smooth(1, 8)
    first, norm, readout = nn.Linear(64, 40), nn.BatchNorm1d(40), nn.Linear(40, 5)
    with torch.no_grad():
        first.bias[:10] = -100.0
    network = normalised(nn.Sequential(nn.Flatten(), first, nn.ReLU(), norm, readout), data)
    assert norm.running_var is not None and (norm.running_var[:10] == 0).all()
    assert correlation(network, data, 16) > 0.97


def test_inputs_that_never_vary_do_not_set_the_scale() -> None:
    torch.manual_seed(0)
    data = smooth(1, 6).flatten(1)
    data[:, :4] = 0.5
    network = normalised(nn.Sequential(nn.BatchNorm1d(36), nn.Linear(36, 20), nn.ReLU(), nn.Linear(20, 4)), data)
    assert correlation(network, data, 16) > 0.97


def test_weights_that_read_what_is_idle_are_bounded_and_the_bias_takes_over() -> None:
    weight = np.array([[1.0, -2.0, 500.0], [0.5, 3.0, -700.0]])
    idle = Idle(np.array([False, False, True]), np.array([0.0, 0.0, 0.25]))
    bounded, added = without_idle(Linear(weight, np.zeros(2)), weight, idle, (3,))
    assert np.array_equal(bounded, [[1, -2, 3], [0.5, 3, -2]])
    assert np.allclose(added, [(500 - 3) * 0.25, (-700 + 2) * 0.25])
    # What is padded is no constant, so that of a convolution only silent channels count.
    kernel = np.ones((2, 3, 1, 1)) * np.array([1.0, 2.0, 90.0]).reshape(1, 3, 1, 1)
    silent = Idle(np.arange(3).repeat(4).reshape(3, 2, 2) == 2, np.zeros((3, 2, 2)))
    bounded, added = without_idle(Conv2d(kernel, np.zeros(2)), kernel, silent, (3, 2, 2))
    assert added == 0 and np.array_equal(bounded[0].ravel(), [1, 2, 2])
    constant = Idle(silent.places, silent.places * 0.5)
    assert np.array_equal(without_idle(Conv2d(kernel, np.zeros(2)), kernel, constant, (3, 2, 2))[0], kernel)


def test_few_weights_that_are_far_larger_get_a_synapse_of_their_own() -> None:
    torch.manual_seed(0)
    data = smooth(1, 8)
    first, second = nn.Linear(64, 40), nn.Linear(40, 5)
    with torch.no_grad():
        second.weight[:, 3] *= 100
        first.weight[3], first.bias[3] = 0.01 * first.weight[3], 0.01 * first.bias[3].abs()
    network = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second).eval()
    converted = snnc.convert(
        snnc.profile(network, data, snnc.CompileOptions(timesteps=8)), snnc.CompileOptions(timesteps=8)
    )
    apart = with_outliers_apart(converted.graph)
    readout = next(node for node in apart if len(node.inputs) == 2)
    dense, sparse = readout.op.synapses
    assert isinstance(dense, Linear) and isinstance(sparse, Sparse)
    assert not dense.weight[:, 3].any() and set(sparse.matrix.indices) == {3}
    whole = next(node for node in converted.graph if node.name == readout.name).op.synapses[0]
    assert np.array_equal(dense.weight + sparse.matrix.toarray(), whole.weight)
    assert correlation(network, data, 16) > 0.97


def test_a_maximum_trades_places_with_a_normalisation_before_it() -> None:
    torch.manual_seed(0)
    data = smooth(2, 8)
    norm = nn.BatchNorm2d(6)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    layers = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), norm, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 5)
    network = normalised(nn.Sequential(*layers), data)
    program = snnc.compile(network, data[:SAMPLES], timesteps=8, max_pool="or")
    assert sum(layer.memoryless for layer in program.layers) == 1
    assert correlation(network, data, 32) > 0.99
    with torch.no_grad():
        norm.weight[0] = -1.0
    with pytest.raises(snnc.UnsupportedError, match="may be negative"):
        snnc.compile(network, data[:SAMPLES], timesteps=8, max_pool="or")


def test_thresholds_grow_where_one_channel_makes_the_weights_of_all_coarse() -> None:
    torch.manual_seed(0)
    data = smooth(1, 8)
    first = nn.Conv2d(1, 8, 3, padding=1)
    with torch.no_grad():
        # Rarely above zero, and far below it else: of its threshold it needs a membrane of many times the others'.
        first.weight[0] = first.weight[0].abs() * -20
        first.bias[0] = 8.0
    network = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(512, 5)).eval()
    program = snnc.compile(network, data[:SAMPLES], timesteps=256)
    assert any("larger thresholds in some channels" in note for note in program.provenance.notes)
    few = snnc.compile(network, data[:SAMPLES], timesteps=4)
    assert not any("larger thresholds" in note for note in few.provenance.notes)


def test_a_t_that_does_not_fit_is_refused_with_the_one_that_does() -> None:
    torch.manual_seed(0)
    data = smooth(1, 4).flatten(1)
    readout = nn.Linear(8, 3)
    with torch.no_grad():
        # The membrane adds it up in every step, and leaves few units for the weights.
        readout.weight *= 0.05
        readout.bias.fill_(100.0)
    network = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), readout).eval()
    with pytest.raises(snnc.TargetError, match=r"; T = (\d+) or less fits") as refused:
        snnc.compile(network, data, timesteps=1024)
    fits = int(str(refused.value).rpartition("T = ")[2].split()[0])
    assert fits < 1024
    snnc.compile(network, data, timesteps=fits)


@pytest.mark.parametrize(
    ("way", "seed", "words"),
    [
        ("_with_larger_thresholds", 4, "all thresholds are 2 times as large"),
        ("_with_narrow_margins", 20, "membranes hold 1.4 times what"),
    ],
)
def test_finer_weights_are_looked_for_where_membranes_leave_few_units(
    monkeypatch: pytest.MonkeyPatch, way: str, seed: int, words: str
) -> None:
    """At a T beyond what membranes hold."""
    torch.manual_seed(seed)
    layers = (nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.BatchNorm1d(24, momentum=None))
    network = nn.Sequential(*layers, nn.Linear(24, 4))
    data = torch.rand(64, 12)
    with torch.no_grad():
        network[0].weight.mul_(3)
        network.train()(data)
        wanted = network.eval()(data).numpy()

    def correlation() -> tuple[float, bool]:
        program = snnc.compile(network, data.numpy(), timesteps=512, threshold="max")
        outputs = program.logits(snnc.run(program, data.numpy()).readout)
        told = any(words in note for note in program.provenance.notes)
        return float(np.corrcoef(outputs.ravel(), wanted.ravel())[0, 1]), told

    better, told = correlation()
    monkeypatch.setattr(pipeline, way, lambda best, *_: best)
    worse, untold = correlation()
    assert told and not untold and 1 - better < 0.8 * (1 - worse)
