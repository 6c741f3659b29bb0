"""Activations that carry thresholds: what they compute, how they train, and what the compiler makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.networks import assert_equal_values, run_double
from torch import nn

import snnc
from snnc.common.errors import OptionError, UnsupportedError, UntrustedModelError
from snnc.compiler.compilation import graph_hash
from snnc.compiler.conversion.float_simulation import spike_trains
from snnc.compiler.conversion.solver import solve
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.ir import Graph, ReLU, SpikingLayer, execute
from snnc.compiler.lowering.spiking_layers import FormSpikingLayers
from snnc.models import QCFS, ClippedReLU, accuracy, train
from snnc.models.data import load_data
from snnc.reporting.graph import graph_text

VALUES = torch.linspace(-3, 5, 1001, dtype=torch.float64)
thresholds = st.floats(0.125, 8, width=32)
steps = st.integers(1, 32)


def dense(*activations: nn.Module, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = [layer for activation in activations for layer in (nn.Linear(6, 6), activation)]
    return nn.Sequential(*layers, nn.Linear(6, 3))


def formed(module: nn.Module, shape: tuple[int, ...] = (6,)) -> Graph:
    return FormSpikingLayers().run(trace(module, shape)).graph


# ---- what they compute, and how they train ----


@given(thresholds)
def test_clipped_relu_truncates(threshold: float) -> None:
    found = ClippedReLU(threshold).double()(VALUES)
    assert torch.equal(found, VALUES.clamp(0, threshold))


@given(steps, thresholds)
def test_qcfs_is_what_a_neuron_gives_for_constant_input(count: int, threshold: float) -> None:
    """Bu et al. 2022, theorem 2: the neuron that starts halfway, with T steps and the same threshold."""
    # Off the edges between steps, where rounding decides.
    inputs = (torch.arange(-count, 2 * count, dtype=torch.float64) + 0.25) * threshold / count
    expected = QCFS(count, threshold).double()(inputs)
    full = torch.tensor(float(threshold), dtype=torch.float64)
    rates = spike_trains(inputs[None], full, full / 2, count).mean(0) * threshold
    assert torch.allclose(expected, rates, rtol=1e-12, atol=0)


@given(steps, thresholds)
def test_qcfs_gives_so_many_steps(count: int, threshold: float) -> None:
    found = torch.unique(QCFS(count, threshold).double()(VALUES * threshold))
    assert torch.allclose(found, torch.linspace(0, threshold, count + 1, dtype=torch.float64))


@pytest.mark.parametrize("activation", [ClippedReLU(2.0), QCFS(4, 2.0)])
def test_gradients_pass_where_nothing_is_cut_off_and_else_reach_the_threshold(activation: nn.Module) -> None:
    values = torch.tensor([-1.0, 0.6, 1.1, 3.0], requires_grad=True)
    activation(values).sum().backward()
    assert torch.equal(values.grad, torch.tensor([0.0, 1.0, 1.0, 0.0]))
    # For QCFS what rounding adds belongs to the threshold: 1/4 - 0.3, 1/2 - 0.55 (0.55 * 4 + 1/2 rounds down to 2).
    expected = 1.0 if isinstance(activation, ClippedReLU) else 1 + (0.25 - 0.3) + (0.5 - 0.55)
    assert activation.threshold.grad.item() == pytest.approx(expected)


def test_a_fixed_threshold_is_no_parameter() -> None:
    activation = ClippedReLU(1.5, learnable=False)
    assert not list(activation.parameters())
    assert activation.state_dict()["threshold"] == 1.5


@pytest.mark.parametrize("make", [lambda: ClippedReLU(0), lambda: ClippedReLU(float("nan")), lambda: QCFS(4, -1)])
def test_thresholds_that_mean_nothing_are_refused(make) -> None:
    with pytest.raises(OptionError, match="above 0"):
        make()


@pytest.mark.parametrize("count", [0, -1, 2.5, "4"])
def test_steps_that_mean_nothing_are_refused(count) -> None:
    with pytest.raises(OptionError, match="whole number"):
        QCFS(count)


def test_they_print_what_they_hold() -> None:
    assert str(QCFS(4, 1.5)) == "QCFS(steps=4, threshold=1.5)"
    assert str(ClippedReLU(1.5)) == "ClippedReLU(threshold=1.5)"


# ---- tracing and lowering ----


@given(steps, thresholds, thresholds, st.integers(0, 100))
def test_the_graph_computes_what_the_module_computes(count: int, first: float, second: float, seed: int) -> None:
    module = dense(QCFS(count, first), ClippedReLU(second), nn.ReLU(), seed=seed)
    batch = 3 * torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    graph = trace(module, (6,))
    expected = run_double(module, batch)
    assert_equal_values(execute(graph, batch)[graph.output.name], expected, 1e-12)
    lowered = FormSpikingLayers().run(graph).graph
    assert_equal_values(execute(lowered, batch)[lowered.output.name], expected, 1e-12)
    learned = [node.op.activation.threshold for node in lowered.of_kind(SpikingLayer)]
    assert learned == [pytest.approx(first), pytest.approx(second), None]


def test_one_alone_is_a_network_that_can_be_traced() -> None:
    (node,) = trace(QCFS(4, 2.0), (6,)).of_kind(ReLU)
    assert (node.op.threshold, node.op.steps) == (2.0, 4)


def test_a_second_activation_stays_only_where_it_changes_something() -> None:
    cases = [
        ([nn.ReLU(), nn.ReLU()], 1),
        ([QCFS(4, 2.0), nn.ReLU()], 1),
        ([ClippedReLU(1.0), ClippedReLU(2.0)], 1),
        ([QCFS(4, 2.0), QCFS(4, 2.0)], 1),
        ([QCFS(4, 1.0), ClippedReLU(1.0)], 1),
        ([nn.ReLU(), ClippedReLU(1.0)], 2),
        ([ClippedReLU(2.0), ClippedReLU(1.0)], 2),
        ([ClippedReLU(2.0), QCFS(4, 2.0)], 2),
        ([QCFS(8, 2.0), QCFS(4, 2.0)], 2),
    ]
    batch = 4 * torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for activations, layers in cases:
        module = nn.Sequential(nn.Linear(6, 6), *activations, nn.Linear(6, 3))
        graph = formed(module)
        assert len(graph.of_kind(SpikingLayer)) == layers, activations
        assert_equal_values(execute(graph, batch)[graph.output.name], run_double(module, batch), 1e-12)


def test_a_graph_shows_the_bound() -> None:
    text = graph_text(trace(dense(QCFS(4, 1.5), ClippedReLU(2.0), nn.ReLU()), (6,)))
    assert "ReLU, up to 1.5 in 4 steps" in text and "ReLU, up to 2 " in text
    assert "Linear 6→6, up to 1.5 in 4 steps" in graph_text(formed(dense(QCFS(4, 1.5))))


def test_the_hash_of_a_network_knows_the_bound_and_plain_networks_keep_theirs() -> None:
    hashes = {graph_hash(trace(dense(each), (6,))) for each in (nn.ReLU(), QCFS(4, 1.5), QCFS(8, 1.5), QCFS(4, 2.0))}
    assert len(hashes) == 4


class Mine(nn.Module):
    """A user's own: no relative of snnc.models."""

    snnc_activation = "clipped_relu"

    def __init__(self, threshold: object = 2.0, top: float = 2.0) -> None:
        super().__init__()
        self.threshold = torch.tensor(threshold) if isinstance(threshold, float | list) else threshold
        self.top = top

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, self.top)


class Unknown(Mine):
    snnc_activation = "tanh"


class Stairs(Mine):
    snnc_activation = "qcfs"
    steps = 0


def test_any_class_that_follows_the_protocol_is_taken() -> None:
    (node,) = formed(dense(Mine())).of_kind(SpikingLayer)
    assert node.op.activation.threshold == 2.0


@pytest.mark.parametrize(
    ("activation", "told"),
    [
        (Mine(top=3.0), "module 1: Mine does not compute what its snnc_activation 'clipped_relu' says"),
        (Mine(threshold=None), "module 1: Mine has no threshold that is one number"),
        (Mine(threshold=[1.0, 2.0]), "module 1: Mine has no threshold that is one number"),
        (Mine(threshold=-1.0), "module 1: the threshold of Mine is -1 (expected a number above 0"),
        (Mine(threshold=float("nan")), "module 1: the threshold of Mine is nan"),
        (Unknown(), "module 1: Unknown has the unknown snnc_activation 'tanh'"),
        (Stairs(), "module 1: Stairs has 0 steps"),
    ],
)
def test_what_breaks_the_protocol_is_refused_by_name(activation: nn.Module, told: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        trace(dense(activation), (6,))
    assert str(error.value).startswith(told)


# ---- files ----


def test_a_model_with_them_is_read_without_trust(tmp_path: Path) -> None:
    network = dense(QCFS(4, 1.5), ClippedReLU(2.0), ClippedReLU(1.0, learnable=False))
    torch.save(network, tmp_path / "m.pt")
    found = load_model(tmp_path / "m.pt")
    values = torch.randn(5, 6)
    assert torch.equal(found(values), network(values))
    assert [type(layer).__name__ for layer in found[1::2]] == ["QCFS", "ClippedReLU", "ClippedReLU"]


@pytest.mark.parametrize("name", ["_Floor", "OptionError", "math", "_check_threshold"])
def test_nothing_else_of_their_module_is_admitted(tmp_path: Path, name: str) -> None:
    from snnc.compiler.frontend.files.admitted import look_up

    with pytest.raises(UntrustedModelError, match=name):
        look_up("snnc.models.activations", name, "m.pt")
    with pytest.raises(UntrustedModelError):
        look_up("snnc.models.train", "QCFS", "m.pt")


def test_a_file_cannot_make_another_layer_pass_for_one() -> None:
    layer = nn.Tanh()
    layer.snnc_activation, layer.threshold = "clipped_relu", torch.tensor(1.0)
    with pytest.raises(UnsupportedError, match="Tanh is not supported"):
        trace(dense(layer), (6,))


# ---- learned thresholds ----


@pytest.fixture(scope="module")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_data("digits", split="train")
    return torch.as_tensor(data.images * np.float32(data.unit)), torch.as_tensor(data.labels)


@pytest.fixture(scope="module")
def stairs(digits) -> nn.Sequential:
    """A network trained with QCFS, L = 4, with thresholds small enough to be reached."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        QCFS(4, 1.0),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1, bias=False),
        nn.BatchNorm2d(24),
        QCFS(4, 1.0),
        nn.Flatten(),
        nn.Linear(24 * 16, 32),
        QCFS(4, 1.0),
        nn.Linear(32, 10),
    )
    train(network, *digits, epochs=6, learning_rate=5e-3, threads=1)
    return network


def test_training_moves_the_thresholds(stairs: nn.Sequential, digits) -> None:
    assert accuracy(stairs, *digits) > 0.95
    assert all(abs(stairs[index].threshold.item() - 1) > 0.01 for index in (2, 6, 9))


def test_the_data_driven_search_recovers_learned_thresholds(stairs: nn.Sequential, digits) -> None:
    """Paper, 5.2: where activations saturate and T = L, the learned threshold has no error, and the search finds it."""
    graph = trace(stairs, (1, 8, 8))
    names = ("2", "6", "9")
    values = execute(graph, digits[0][:512], keep=names)
    for name in names:
        learned = stairs[int(name)].threshold.item()
        activations = values[name].numpy()
        assert (activations >= 0.999 * learned).sum() > 5, "nothing saturates"
        found = solve(activations, 4)
        assert found.threshold == pytest.approx(learned, rel=1e-5)
        assert found.potential == pytest.approx(learned / 2, rel=1e-5)
        assert found.error <= 1e-5 * activations.sum()
        # With other numbers of steps there is an error, and the best threshold is near.
        for timesteps in (8, 16):
            assert solve(activations, timesteps).threshold == pytest.approx(learned, rel=0.15)


def test_learned_thresholds_are_taken_from_the_network(stairs: nn.Sequential) -> None:
    program = snnc.compile(stairs, "digits", timesteps=4, threshold="learned")
    for layer, index in zip(program.spiking_layers, (2, 6, 9), strict=True):
        learned = stairs[index].threshold.item()
        assert np.allclose(layer.scale, learned, rtol=1e-6)
        assert layer.initial_potential == pytest.approx(layer.threshold.value / 2, abs=1)
    assert program.provenance.options["threshold"] == "learned"
    test = load_data("digits", split="test")
    assert snnc.run(program, test).accuracy(test.labels) > 0.9
    searched = snnc.compile(stairs, "digits", timesteps=4, per_channel=False)
    for mine, other in zip(program.spiking_layers, searched.spiking_layers, strict=True):
        # The search sees activations through a sketch, whose bins are 0.8 % wide.
        assert np.allclose(mine.scale, other.scale, rtol=0.01)


def test_a_layer_without_a_learned_threshold_is_named() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), QCFS(4, 1.0), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 10))
    with pytest.raises(UnsupportedError, match=r"^modules 3 \+ 4: the layer has no learned threshold"):
        snnc.compile(network, "digits", threshold="learned")


def test_validation_compares_with_the_ann_as_it_is(stairs: nn.Sequential) -> None:
    program = snnc.compile(stairs, "digits", timesteps=4, threshold="learned")
    result = snnc.validate(program, stairs, "digits", samples=100, lava=False)
    assert not result.notes or all("not the one" not in note for note in result.notes)
    assert result.agreeing > 85
