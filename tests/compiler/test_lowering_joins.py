"""Sums, concatenations, maximum pooling, transposed convolutions and long paths become exact spiking layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import assert_equal_values, randomize, run_double
from torch import nn

import snnc
from snnc.common.errors import OptionError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, MaxPool2d, Readout, Relay, SpikeMax2d, SpikingLayer, execute
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering import merge_linear as linear_forms
from snnc.compiler.lowering import simplify
from snnc.compiler.lowering.max_pooling import MAX_POOLINGS, MaxPooling
from snnc.compiler.lowering.spiking_layers import AlignPaths, depths_of, lowering
from snnc.program import InputCoding
from snnc.runtime.simulator import Simulator

SHAPE = (3, 8, 8)
MEAN, STD = 0.4, 0.3


class Network(nn.Module):
    """A stem, a middle part that a test gives, and a linear end."""

    def __init__(self, middle: Callable[[nn.Module, torch.Tensor], torch.Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        for name, part in parts.items():
            self.add_module(name, part)
        self._middle = middle
        with torch.no_grad():
            features = middle(self, torch.zeros(2, 4, 8, 8))[0].numel()
        self.end = nn.Linear(features, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self._middle(self, torch.relu(self.stem(x))).flatten(1))


def network(middle: Callable[[nn.Module, torch.Tensor], torch.Tensor], seed: int = 0, **parts: nn.Module) -> nn.Module:
    return randomize(Network(middle, **parts), seed).eval()


def coding() -> InputCoding:
    ones = np.ones(3)
    return InputCoding("graded", SHAPE, ones / 255, 0 * ones, ones / 255 / STD, -MEAN / STD * ones)


def lowered(module: nn.Module, way: MaxPooling = "exact") -> Graph:
    """The spiking layers, after checking that they compute what the module computes."""
    graph = trace(module, SHAPE)
    ways = {node.name: way for node in graph.of_kind(MaxPool2d)}
    spiking = PassManager(lowering(coding(), ways)).run(graph).graph
    levels = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.uint8)
    inputs = (torch.as_tensor(levels, dtype=torch.float64) / 255 - MEAN) / STD
    found = execute(spiking, torch.as_tensor(levels, dtype=torch.float64))[spiking.output.name]
    if way != "avg":
        assert_equal_values(found, run_double(module, inputs))
    return spiking


def kinds(graph: Graph) -> list[list[str]]:
    """The kinds of the synapses of each spiking layer."""
    return [[each.kind for each in node.op.synapses] for node in graph.of_kind(SpikingLayer)]


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)


SHORTCUTS = {
    "identity": (lambda m, x: torch.relu(m.two(torch.relu(m.one(x))) + x), (4, 1), {}),
    "normalised 1x1": (
        lambda m, x: torch.relu(m.two(torch.relu(m.one(x))) + m.short(x)),
        (6, 2),
        {"short": nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))},
    ),
    "strided and padded": (
        lambda m, x: torch.relu(m.two(torch.relu(m.one(x))) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))),
        (6, 2),
        {},
    ),
    "average": (lambda m, x: torch.relu(m.two(torch.relu(m.one(x))) + m.short(x)), (4, 2), {"short": nn.AvgPool2d(2)}),
    "doubled": (lambda m, x: torch.relu(m.two(torch.relu(m.one(x))) + (x + x)), (4, 1), {}),
}


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_becomes_a_synapse_and_costs_no_neurons(name: str) -> None:
    middle, (channels, stride), parts = SHORTCUTS[name]
    module = network(middle, one=conv(4, channels, 3, stride), two=conv(channels, channels), **parts)
    graph = lowered(module)
    assert kinds(graph) == [["Conv2d"], ["Conv2d"], ["Conv2d", "Conv2d"]]
    *_, last = graph.of_kind(SpikingLayer)
    # The deepest source first: it carries the netx chain.
    assert [graph[each].op.kind for each in last.inputs] == ["SpikingLayer"] * 2
    depths = depths_of(graph)
    assert [depths[last.name] - depths[each] for each in last.inputs] == [1, 2]


def test_a_per_channel_shortcut_is_a_number_for_each_channel_in_the_file() -> None:
    middle, _, parts = SHORTCUTS["identity"]
    module = network(middle, one=conv(4, 4), two=conv(4, 4), **parts)
    program = snnc.compile(module, np.random.default_rng(0).random((16, *SHAPE), np.float32), timesteps=4)
    assert [synapse.weight.size for synapse in program.layers[2].synapses] == [4 * 4 * 9, 4]


def test_sums_that_feed_one_another_become_a_synapse_for_each_population() -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = x + m.one(torch.relu(m.norm(x)))
        x = x + m.two(torch.relu(m.norm(x)))
        return torch.relu(m.norm(x))

    graph = lowered(network(middle, one=conv(4, 4), two=conv(4, 4), norm=nn.BatchNorm2d(4)))
    assert [len(each) for each in kinds(graph)] == [1, 1, 2, 3]


@pytest.mark.parametrize("branches", [1, 2, 3])
def test_a_concatenation_becomes_a_synapse_for_each_of_its_parts(branches: int) -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        parts = [x, torch.relu(m.one(x)), torch.relu(m.two(x))][: branches + 1]
        return torch.relu(m.after(torch.cat(parts, 1)))

    channels = 4 + sum((5, 6)[:branches][: max(0, min(branches, 2))])
    module = network(middle, one=conv(4, 5), two=conv(4, 6, 1), after=conv(channels, 4))
    assert [len(each) for each in kinds(lowered(module))][-1] == min(branches + 1, 3)


def test_features_are_added_and_joined_too() -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        one = torch.relu(m.one(flat))
        two = torch.relu(m.two(one) + one)
        return torch.cat((one, torch.relu(m.three(two) + m.one(flat))), dim=1)

    lowered(network(middle, one=nn.Linear(256, 6), two=nn.Linear(6, 6), three=nn.Linear(6, 6)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("size", "stride", "padding", "extra"), [(2, 2, 0, 0), (3, 2, 1, 1), (3, 1, 1, 0), (4, 3, 1, 2)]
)
def test_a_transposed_convolution_becomes_the_entries_of_its_matrix(
    size: int, stride: int, padding: int, extra: int, groups: int
) -> None:
    up = nn.ConvTranspose2d(4, 6, size, stride, padding, extra, groups=groups)
    module = network(lambda m, x: torch.relu(m.norm(m.up(m.down(x).relu()))), up=up, down=conv(4, 4, 3, 2),
                     norm=nn.BatchNorm2d(6))  # fmt: skip
    assert kinds(lowered(module))[-1] == ["Sparse"]


def test_an_up_convolution_without_a_relu_joined_with_a_shortcut_is_exact() -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(m.after(torch.cat((x, m.up(torch.relu(m.down(x)))), 1)))

    module = network(middle, down=conv(4, 6, 3, 2), up=nn.ConvTranspose2d(6, 4, 2, 2), after=conv(8, 4))
    graph = lowered(module)
    assert kinds(graph)[-1] == ["Sparse", "Conv2d"]


windows = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=25)
@given(windows, windows, st.booleans(), st.booleans(), st.integers(0, 9))
def test_exact_maximum_pooling_is_exact(
    kernel: tuple[int, int], stride: tuple[int, int], padded: bool, relu_first: bool, seed: int
) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
    pool = nn.MaxPool2d(kernel, stride, padding)

    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = m.one(x)
        return torch.relu(m.two(m.pool(torch.relu(x)) if relu_first else torch.relu(m.pool(x))))

    graph = lowered(network(middle, seed, one=conv(4, 5), two=conv(5, 4), pool=pool))
    count = kernel[0] * kernel[1]
    levels = [node for node in graph.of_kind(SpikingLayer) if ":level" in node.name]
    assert len(levels) == (count - 1).bit_length()
    assert sum(node.shape[0] for node in levels) == 5 * (count - 1)


@pytest.mark.parametrize(
    ("before", "pool", "own_layers"),
    [
        # Three terms of 256, 128 and 64 inputs before the fold, 64 behind it.
        (torch.relu, nn.MaxPool2d(2), 1),
        (torch.relu, nn.AvgPool2d(2), 1),
        # What may be negative has to be folded, however large.
        (lambda x: x, nn.MaxPool2d(2), 0),
    ],
)
def test_a_pooling_that_makes_a_linear_layer_too_large_spikes_by_itself(
    before: Callable[[torch.Tensor], torch.Tensor], pool: nn.Module, own_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = network(lambda m, x: m.pool(before(m.one(x))), one=conv(4, 4), pool=pool)
    layers = len(lowered(module).of_kind(SpikingLayer))
    # The last linear layer: 3 outputs of 64 inputs.
    monkeypatch.setattr(linear_forms, "LINEAR_WEIGHTS_MAXIMUM", 3 * 64)
    graph = lowered(module)
    assert len(graph.of_kind(SpikingLayer)) == layers + own_layers
    (readout,) = graph.of_kind(Readout)
    sources = graph[readout.name].op.synapses
    assert len(sources) == 1 if own_layers else len(sources) > 1


@pytest.mark.parametrize("relu_first", [True, False])
def test_maximum_pooling_by_or_is_one_memoryless_population(relu_first: bool) -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = m.one(x)
        return torch.relu(m.two(m.pool(torch.relu(x)) if relu_first else torch.relu(m.pool(x))))

    graph = lowered(network(middle, one=conv(4, 5), two=conv(5, 4), pool=nn.MaxPool2d(3, 2, 1)), "or")
    (node,) = graph.of_kind(SpikeMax2d)
    assert node.shape == (5, 4, 4) and len(graph.of_kind(SpikingLayer)) == 3


def test_or_behind_a_concatenation_is_a_population_for_each_part() -> None:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return m.pool(torch.cat((x, torch.relu(m.one(x))), 1))

    graph = lowered(network(middle, one=conv(4, 5), pool=nn.MaxPool2d(2)), "or")
    assert [node.shape[0] for node in graph.of_kind(SpikeMax2d)] == [4, 5]


def test_or_of_values_that_may_be_negative_is_refused_by_name() -> None:
    module = network(lambda m, x: torch.relu(m.two(m.pool(m.one(x)))), one=conv(4, 5), two=conv(5, 4),
                     pool=nn.MaxPool2d(2))  # fmt: skip
    lowered(module, "exact")
    with pytest.raises(UnsupportedError, match=r"pool: the maximum of values that may be negative.*ReLU"):
        lowered(module, "or")
    padded = network(lambda m, x: torch.relu(m.two(m.pool(m.one(x)))), one=conv(4, 5), two=conv(5, 4),
                     pool=nn.MaxPool2d(2, padding=1))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"pool: maximum pooling with padding"):
        lowered(padded, "exact")


def pooled() -> nn.Module:
    return network(lambda m, x: torch.relu(m.two(m.pool(x))), two=conv(4, 4), pool=nn.MaxPool2d(2))


@pytest.mark.parametrize("way", ["auto", *MAX_POOLINGS])
def test_every_way_of_maximum_pooling_compiles_and_says_what_it_costs(way: str) -> None:
    data = np.random.default_rng(0).random((32, *SHAPE), np.float32)
    program = snnc.compile(pooled(), data, timesteps=8, max_pool=way)
    notes = [note for note in program.provenance.notes if "maximum pooling" in note]
    assert "neurons" in notes[0] and "pool" in notes[0]
    assert ["settled in integers" in note for note in notes[1:]] in ([], [True])
    memoryless = [layer for layer in program.layers if layer.memoryless]
    exact = [layer for layer in program.layers if ":level" in layer.name]
    if way == "auto":
        # The way with the smaller error, as the note gives both.
        assert "or " in notes[0] and "exact " in notes[0] and (len(memoryless), len(exact)) in ((1, 0), (0, 2))
    else:
        assert (len(memoryless), len(exact)) == {"or": (1, 0), "exact": (0, 2), "avg": (0, 0)}[way]
    assert Simulator(program).run(program.coding.levels(data[:4])).samples == 4


def test_an_unknown_way_of_maximum_pooling_is_refused() -> None:
    with pytest.raises(OptionError, match=r"max_pool \(--max-pool\).*or, exact, avg.*'median'"):
        snnc.compile(pooled(), np.zeros((4, *SHAPE), np.uint8), max_pool="median")


def deep(layers: int) -> nn.Module:
    def middle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = x
        for _ in range(layers):
            y = torch.relu(m.one(y))
        return torch.relu(y + x)

    return network(middle, one=conv(4, 4, 1))


@pytest.mark.parametrize(("maximum", "relays"), [(62, 0), (5, 0), (4, 1), (2, 1), (1, 2), (0, 5)])
def test_relays_bridge_what_a_delay_cannot(maximum: int, relays: int) -> None:
    graph = lowered(deep(5))
    found = AlignPaths(maximum).run(graph)
    assert len(found.graph.of_kind(Relay)) == found.stats["relays"] == relays
    depths = depths_of(found.graph)
    assert depths_of(graph)[graph.output.inputs[0]] == depths[graph.output.inputs[0]]
    for node in found.graph.of_kind(SpikingLayer, Readout):
        assert all(depths[node.name] - depths[each] - 1 <= maximum for each in node.inputs)


def test_relays_change_no_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).random((16, *SHAPE), np.float32)
    plain = snnc.compile(deep(6), data, timesteps=6)
    monkeypatch.setattr("snnc.compiler.front.AlignPaths", lambda _, lead: AlignPaths(2, lead))
    relayed = snnc.compile(deep(6), data, timesteps=6)
    assert sum(layer.memoryless for layer in relayed.layers) == 2
    levels = plain.coding.levels(data)
    first, second = Simulator(plain).run(levels), Simulator(relayed).run(levels)
    assert np.array_equal(first.readout, second.readout) and first.readout.any()


class Dense(nn.Module):
    """Layers that each read all before them, normalised anew, as those of a DenseNet."""

    def __init__(self, layers: int, *, norm: bool = True) -> None:
        super().__init__()
        widths = [4 + 3 * index for index in range(layers + 1)]
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) if norm else nn.Identity() for width in widths)
        self.convs = nn.ModuleList(nn.Conv2d(width, 3, 3, padding=1) for width in widths[:-1])
        self.end = nn.Linear(widths[-1], 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=False):
            found.append(conv(torch.relu(norm(torch.cat(found, 1)))))
        last = torch.relu(self.norms[-1](torch.cat(found, 1)))
        return self.end(F.adaptive_avg_pool2d(last, 1).flatten(1))


def weights_of(graph: Graph) -> int:
    return sum(each.weight.size for node in graph.of_kind(SpikingLayer, Readout) for each in node.op.synapses)


@pytest.mark.parametrize("norm", [True, False])
def test_activations_of_a_concatenation_move_in_front_of_it_where_its_synapses_are_nearly_all_zeros(
    norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = randomize(Dense(3, norm=norm), 3).eval()
    whole = lowered(module)
    monkeypatch.setattr(simplify, "ZEROS_MAXIMUM", 0)
    parts = lowered(module)  # which checks what it computes
    assert weights_of(parts) < 0.6 * weights_of(whole)
    # As many neurons, in more populations: one for each part of each concatenation.
    neurons = [sum(np.prod(node.shape) for node in each.of_kind(SpikingLayer)) for each in (whole, parts)]
    assert neurons[0] == neurons[1]
    assert (len(whole.of_kind(SpikingLayer)), len(parts.of_kind(SpikingLayer))) == (4, 1 + 2 + 3 + 4)


def test_a_concatenation_that_something_else_reads_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def middle(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([x, net.conv(x)], 1)
        return torch.relu(joined) + F.avg_pool2d(joined, 1)

    monkeypatch.setattr(simplify, "ZEROS_MAXIMUM", 0)
    graph = lowered(network(middle, conv=nn.Conv2d(4, 4, 1)))
    assert len(graph.of_kind(SpikingLayer)) == 2
