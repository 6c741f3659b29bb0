"""Every pass keeps what the network computes, border included."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.networks import Case, assert_equal_values, dense_cases, image_cases, pooled_cases, randomize, run_double
from support.progress import Heard
from torch import nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.conversion.solver import ActivationSketch
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Affine, BatchNorm, Conv2d, Graph, Readout, ReLU, SpikingLayer, execute
from snnc.compiler.ir.exact_sums import ExactSums
from snnc.compiler.ir.passes import Pass, PassManager
from snnc.compiler.ir.spec import has_thresholds
from snnc.compiler.lowering import compose
from snnc.compiler.lowering.fold import FoldAffine, FoldBatchNorm, NormalizeInput
from snnc.compiler.lowering.merge_linear import MergeLinear
from snnc.compiler.lowering.simplify import DropIdentity, LowerPooling
from snnc.compiler.lowering.spiking_layers import FormSpikingLayers


def front(affine: Affine) -> list[Pass]:
    """The pipeline's exact passes."""
    return [
        DropIdentity(),
        LowerPooling(),
        FoldBatchNorm(),
        NormalizeInput(affine.scale, affine.shift),
        FoldAffine(),
        MergeLinear(),
        FormSpikingLayers(),
    ]


def value(graph: Graph, batch: torch.Tensor) -> torch.Tensor:
    return execute(graph, batch)[graph.output.name]


def snapshot(graph: Graph) -> list[tuple[object, ...]]:
    nodes = []
    for node in graph:
        parameters = {k: v.tobytes() if isinstance(v, np.ndarray) else repr(v) for k, v in vars(node.op).items()}
        nodes.append((node.name, node.op.kind, parameters, node.inputs, node.modules, node.shape))
    return nodes


def check_every_pass(case: Case) -> Graph:
    expected = case.expected()
    levels = torch.as_tensor(case.levels, dtype=torch.float64)
    graph = trace(case.module, case.shape)
    assert_equal_values(value(graph, case.inputs), expected)
    batch = case.inputs
    for step in front(case.affine):
        before = snapshot(graph)
        result = step.run(graph)
        assert snapshot(graph) == before, f"{step.name} changed the graph it was given"
        changed = snapshot(result.graph) != before
        assert result.modified == changed or step.name == "FormSpikingLayers", step.name
        graph = result.graph
        if isinstance(step, NormalizeInput):
            batch = levels
        assert_equal_values(value(graph, batch), expected)
    assert nx.is_directed_acyclic_graph(graph.networkx)
    return graph


@given(image_cases())
def test_every_pass_keeps_the_output_of_convolutional_networks(case: Case) -> None:
    try:
        graph = check_every_pass(case)
    except UnsupportedError as error:
        # Only what cannot be converted may be refused: no ReLU is never drawn, every convolution has its own.
        pytest.fail(f"refused: {error}")
    assert {node.op.kind for node in graph} == {"Input", "SpikingLayer", "Readout", "Output"}


@given(pooled_cases())
def test_every_pass_keeps_the_output_with_pooling_between_convolutions(case: Case) -> None:
    check_every_pass(case)


@given(dense_cases())
def test_every_pass_keeps_the_output_of_dense_networks(case: Case) -> None:
    check_every_pass(case)


@given(image_cases())
def test_every_layer_keeps_the_module_names_that_went_into_it(case: Case) -> None:
    graph = PassManager(front(case.affine)).run(trace(case.module, case.shape)).graph
    named = [name for node in graph.of_kind(SpikingLayer, Readout) for name in node.modules]
    weighted = [name for name, each in case.module.named_modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert set(weighted) <= set(named)
    assert len(graph.of_kind(Readout)) == 1


def normalized(module: nn.Module, shape: tuple[int, ...], seed: int = 0) -> Case:
    """A case with a shift that shows at every border."""
    rng = np.random.default_rng(seed)
    affine = Affine(rng.uniform(0.5, 1, shape[0]) / 255, rng.uniform(-2, -1, shape[0]))
    return Case(randomize(module, seed), shape, affine, rng.integers(0, 256, (3, *shape)).astype(np.uint8))


def test_normalisation_before_a_padded_convolution_becomes_a_bias_map() -> None:
    case = normalized(
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(75, 2)), (2, 5, 5)
    )
    graph = check_every_pass(case)
    (layer, *_) = graph.of_kind(SpikingLayer)
    (synapse,) = layer.op.synapses
    assert synapse.bias.shape == (3, 5, 5)
    inside = synapse.bias[:, 1:4, 1:4]
    assert np.allclose(inside, inside[:, :1, :1]) and not np.allclose(synapse.bias[:, 0, 0], inside[:, 0, 0])


def test_normalisation_before_an_unpadded_convolution_stays_one_bias_for_each_channel() -> None:
    case = normalized(nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 2)), (2, 5, 5))
    (layer, *_) = check_every_pass(case).of_kind(SpikingLayer)
    assert layer.op.synapses[0].bias.shape == (3,)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        pytest.param([nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)], (2, 4, 4), id="norm-first"),
        pytest.param([nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)], (2, 4, 4), id="relu-first"),
        pytest.param([nn.Flatten(), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2)], (2, 4, 4), id="flatten-first"),
        pytest.param([nn.Conv2d(2, 2, 3), nn.ReLU(), nn.ReLU(), nn.Flatten()], (2, 4, 4), id="relu-flatten-last"),
        pytest.param([nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()], (2, 4, 4), id="relu-last"),
        pytest.param([nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3)], (2, 4, 4), id="norm-last"),
        pytest.param([nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.ReLU(), nn.Identity()], (3,), id="norm-relu"),
        pytest.param([nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()], (2, 4, 4), id="pool-last"),
        pytest.param(
            [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)],
            (2, 4, 4),
            id="two-norms",
        ),
        pytest.param(
            [nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)],
            (2, 4, 4),
            id="norm-behind-flatten",
        ),
        pytest.param(
            [nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)],
            (2, 4, 4),
            id="convolutions-in-a-row",
        ),
        pytest.param(
            [nn.Linear(3, 4), nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 3)], (3,), id="linears"
        ),
        pytest.param(
            [nn.ReLU(), nn.AvgPool2d(2), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()],
            (2, 5, 5),
            id="relu-pool-norm",
        ),
        pytest.param(
            [nn.ReLU(), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()],
            (2, 5, 5),
            id="relu-norm-pool",
        ),
        pytest.param([nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()], (2, 5, 5), id="pool-first"),
        pytest.param([nn.AvgPool2d(3, 1, 1), nn.Conv2d(2, 3, 3), nn.ReLU()], (2, 5, 5), id="padded-pool-first"),
    ],
)
def test_unusual_orders_keep_the_output(layers: list[nn.Module], shape: tuple[int, ...]) -> None:
    check_every_pass(normalized(nn.Sequential(*layers), shape))


def pooled(pool: nn.Module, second: nn.Module) -> Case:
    return normalized(
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), pool, second, nn.ReLU(), nn.Flatten()), (2, 6, 6)
    )


def own_layers(case: Case) -> tuple[int, tuple[str, ...]]:
    graph = trace(case.module, case.shape)
    manager = PassManager(front(case.affine))
    manager.run(graph)
    record = next(record for record in manager.records if record.name == "MergeLinear")
    return record.result.stats["own_layers"], record.result.notes


@pytest.mark.parametrize(
    ("pool", "second", "layers"),
    [
        (nn.AvgPool2d(2), nn.Conv2d(4, 3, 3), 0),
        (nn.AvgPool2d(2), nn.Conv2d(4, 3, 3, padding=1), 0),  # windows tile the image: outside there is nothing
        (nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding=1, groups=2), 0),
        (nn.AvgPool2d(3, 2), nn.Conv2d(4, 3, 2), 0),  # overlap without padding
        (nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 3, 3, padding=1), 1),  # padded windows reach outside
        (nn.AvgPool2d(3, 2, 1), nn.Conv2d(4, 3, 3, padding=1), 1),
    ],
)
def test_large_pooling_spikes_by_itself_only_where_it_does_not_fold(
    pool: nn.Module, second: nn.Module, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "ENTRIES_MAXIMUM", 100)
    case = pooled(pool, second)
    check_every_pass(case)
    found, notes = own_layers(case)
    assert found == layers
    assert all("2" in note and "spikes by itself" in note for note in notes) and len(notes) == layers


@pytest.mark.parametrize("pool", [nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 2, 1)])
def test_small_pooling_before_a_padded_convolution_costs_no_neurons(pool: nn.Module) -> None:
    graph = check_every_pass(pooled(pool, nn.Conv2d(4, 3, 3, padding=1)))
    (_, layer) = graph.of_kind(SpikingLayer)
    assert [synapse.kind for synapse in layer.op.synapses] == ["Sparse"]


def test_pooling_that_spikes_by_itself_is_a_layer_named_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "ENTRIES_MAXIMUM", 100)
    case = pooled(nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 3, 3, padding=1))
    graph = check_every_pass(case)
    names = [node.name for node in graph.of_kind(SpikingLayer)]
    assert "2" in names and len(names) == 3
    assert graph["2"].modules == ("2",)


def test_convolutions_in_a_row_that_do_not_merge_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "ENTRIES_MAXIMUM", 100)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)
    )
    case = normalized(module, (2, 4, 4))
    with pytest.raises(UnsupportedError, match=r"module 0 -> module 1.*without a ReLU"):
        check_every_pass(case)


def test_a_network_without_relu_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no ReLU"):
        check_every_pass(normalized(nn.Sequential(nn.Linear(3, 2)), (3,)))


@pytest.mark.parametrize("tail", [[], [nn.Identity()], [nn.Dropout(0.1)]])
def test_a_softmax_at_the_end_is_taken_off_with_a_note(tail: list[nn.Module]) -> None:
    logits = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    module = randomize(nn.Sequential(logits, nn.Softmax(1), *tail), 1)
    graph = trace(module, (3,))
    batch = torch.randn(5, 3, dtype=torch.float64)
    assert_equal_values(value(graph, batch), run_double(module, batch))
    result = DropIdentity().run(graph)
    assert_equal_values(value(result.graph, batch), run_double(logits, batch))
    assert len(result.notes) == 1 and "softmax" in result.notes[0] and "logits" in result.notes[0]


@pytest.mark.parametrize(
    ("size", "tail"), [(4, [nn.Softmax2d()]), (4, [nn.LogSoftmax(-3)]), (1, [nn.Softmax(1), nn.Flatten()])]
)
def test_a_softmax_over_the_channels_of_an_image_is_taken_off_too(size: int, tail: list[nn.Module]) -> None:
    logits = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    module = randomize(nn.Sequential(logits, *tail), 1)
    graph = trace(module, (2, size, size))
    batch = torch.randn(5, 2, size, size, dtype=torch.float64)
    assert_equal_values(value(graph, batch), run_double(module, batch))
    found = value(DropIdentity().run(graph).graph, batch)
    expected = run_double(logits, batch)
    assert_equal_values(found, expected.flatten(1) if size == 1 else expected)
    assert torch.equal(found.argmax(1), run_double(module, batch).argmax(1))


def test_a_softmax_that_is_flattened_over_several_places_is_refused() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(1, 3, 1), nn.Softmax2d(), nn.Flatten()), (1, 2, 2))
    with pytest.raises(UnsupportedError, match=r"^module 1: a softmax"):
        DropIdentity().run(graph)


def test_a_softmax_inside_the_network_is_refused_by_name() -> None:
    graph = trace(nn.Sequential(nn.Linear(3, 3), nn.Softmax(1), nn.Linear(3, 3)), (3,))
    with pytest.raises(UnsupportedError, match=r"^module 1: a softmax"):
        DropIdentity().run(graph)


def fan_out() -> Graph:
    """A convolution that two nodes read: its batch norm must not be folded into it."""
    rng = np.random.default_rng(0)
    graph = Graph()
    from snnc.compiler.ir import Input, Output

    graph.add("input", Input((2, 4, 4)))
    graph.add("conv", Conv2d(rng.normal(size=(2, 2, 3, 3)), rng.normal(size=2), padding=(1, 1)), ("input",))
    graph.add("norm", BatchNorm(*rng.random((4, 2)), 1e-5), ("conv",))
    graph.add("side", ReLU(), ("conv",))
    graph.add("relu", ReLU(), ("norm",))
    graph.add("next", Conv2d(rng.normal(size=(2, 2, 3, 3)), rng.normal(size=2)), ("relu",))
    graph.add("output", Output(), ("next",))
    return graph


def test_batch_norm_is_not_folded_into_a_convolution_that_others_read() -> None:
    graph = fan_out()
    batch = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    before = execute(graph, batch, keep=["side"])
    after = FoldAffine().run(FoldBatchNorm().run(graph).graph).graph
    assert_equal_values(value(after, batch), before["output"])
    assert_equal_values(
        execute(after, batch, keep=["side"])["side"] if "side" in after else before["side"], before["side"]
    )


@given(st.integers(1, 200), st.integers(0, 100))
def test_the_profile_holds_every_activation_of_every_batch(samples: int, seed: int) -> None:
    module = randomize(nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)), seed)
    affine = Affine(np.array([1 / 255]), np.array([-0.5]))
    levels = np.random.default_rng(seed).integers(0, 256, (samples, 1, 3, 3)).astype(np.uint8)
    case = Case(module, (1, 3, 3), affine, levels)
    heard = Heard()
    step = ProfileActivations(levels, heard)
    graph = PassManager([*front(affine), step], heard).run(trace(module, case.shape)).graph
    assert heard.begun[-1] == (step.title, samples)

    (layer,), (readout,) = graph.of_kind(SpikingLayer), graph.of_kind(Readout)
    # The sums that profiling computes, here of all samples at once; test_exact_sums.py says how near they are.
    computed = ExactSums(layer.op.synapses).drive(torch.from_numpy(levels))
    assert torch.allclose(computed.double(), run_double(module[0], case.inputs), atol=1e-3)
    drive = computed.transpose(0, 1).flatten(1).numpy()
    profile = layer.op.profile
    expected = ActivationSketch(2)
    expected.add(np.maximum(drive, 0))
    assert profile.activations.total == drive.shape[1]
    assert np.array_equal(profile.activations.maximum, expected.maximum)
    for found, exact in zip(profile.activations.distributions(), np.maximum(drive, 0), strict=True):
        mean = found.total / len(found) if found else 0
        assert np.isclose(mean, exact[exact > 0].mean() if exact.any() else 0, rtol=0.01)
    assert np.array_equal(profile.drive_minimum, drive.min(1))
    assert np.array_equal(profile.drive_maximum, drive.max(1))
    logits = ExactSums(readout.op.synapses).drive(computed.relu())
    assert torch.allclose(logits.double(), case.expected(), atol=1e-3)
    assert np.array_equal(readout.op.profile.drive_maximum, logits.amax(0).numpy())
    assert heard.done[-1] == samples and heard.done == sorted(heard.done)


@pytest.mark.parametrize(("threshold", "potential"), [(0.0, 0.0), (1.0, -0.1), (1.0, 1.1), (-1.0, 0.0), (np.nan, 0.0)])
def test_thresholds_out_of_range_break_the_condition(threshold: float, potential: float) -> None:
    small = trace(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).eval(), (2,))
    graph = PassManager(front(Affine(np.ones(2), np.zeros(2)))).run(small).graph
    assert "has a threshold" in has_thresholds(graph)
    (layer,) = graph.of_kind(SpikingLayer)
    good = replace(layer.op, threshold=np.ones(2), initial_potential=np.array([0.0, 1.0]))
    graph.replace(layer.name, good)
    assert has_thresholds(graph) is None
    bad = replace(layer.op, threshold=np.array([1.0, threshold]), initial_potential=np.array([0.5, potential]))
    graph.replace(layer.name, bad)
    assert layer.where in has_thresholds(graph)
