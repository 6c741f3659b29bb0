"""Tracing where paths meet: sums and concatenations, and tensors that several names stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import assert_equal_values, randomize, run_double
from support.tracing import IMAGE, Net, check, output_of
from torch import nn

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Add, Concat, ReLU
from snnc.models import digits_cnn


def added_to(net: Net, x: torch.Tensor) -> torch.Tensor:
    x += net.other(x)
    return x


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(lambda net, x: x + net.other(x), id="+"),
        pytest.param(added_to, id="+="),
        pytest.param(lambda net, x: operator.iadd(x, net.other(x)), id="iadd"),
        pytest.param(lambda net, x: torch.add(x, net.other(x)), id="torch.add"),
        pytest.param(lambda net, x: torch.add(x, other=net.other(x), alpha=1), id="torch.add-name"),
        pytest.param(lambda net, x: torch.add(input=x, other=net.other(x)), id="torch.add-names"),
        pytest.param(lambda net, x: x.add(net.other(x)), id="x.add"),
        pytest.param(lambda net, x: x.add(other=net.other(x)), id="x.add-name"),
        pytest.param(lambda net, x: x.add_(net.other(x)), id="x.add_"),
        pytest.param(lambda net, x: x.__add__(net.other(x)), id="__add__"),
        pytest.param(lambda net, x: sum([x, net.other(x)]), id="sum"),
        pytest.param(lambda net, x: 0.0 + x + net.other(x), id="zero"),
    ],
)
def test_every_way_to_write_a_sum_is_one(middle: Callable[..., torch.Tensor]) -> None:
    graph = check(Net(lambda net, x: middle(net, x).relu().flatten(1), other=nn.Conv2d(2, 2, 1)))
    (node,) = graph.of_kind(Add)
    assert len(node.inputs) == 2 and "other" in node.inputs


def doubled(net: Net, x: torch.Tensor) -> torch.Tensor:
    x += x
    return x


@pytest.mark.parametrize(
    "middle", [lambda net, x: x + x, lambda net, x: torch.add(x, x), lambda net, x: x.add_(x), doubled]
)
def test_a_value_may_be_added_to_itself(middle: Callable[..., torch.Tensor]) -> None:
    graph = check(Net(lambda net, x: middle(net, x).relu().flatten(1)))
    (node,) = graph.of_kind(Add)
    assert node.inputs == ("conv", "conv")


def test_operands_keep_their_order() -> None:
    graph = check(Net(lambda net, x: (net.other(x) + x).relu().flatten(1), other=nn.Conv2d(2, 2, 1)))
    assert graph.of_kind(Add)[0].inputs == ("other", "conv")
    graph = check(Net(lambda net, x: torch.add(other=x, input=net.other(x)).flatten(1), other=nn.Conv2d(2, 2, 1)))
    assert set(graph.of_kind(Add)[0].inputs) == {"other", "conv"}


def test_several_sums_feed_one_another() -> None:
    layers = {"a": nn.Conv2d(2, 2, 1), "b": nn.Conv2d(2, 2, 3, padding=1), "norm": nn.BatchNorm2d(2)}

    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        first = (net.a(x) + x).relu()
        second = (net.norm(net.b(first)) + first + x).relu()
        return sum([first, second, first + second]).flatten(1)

    assert len(check(Net(middle, **layers)).of_kind(Add)) == 6


def test_sums_of_features() -> None:
    graph = check(Net(lambda net, x: x.flatten(1) + net.fc2(x.relu().flatten(1)), fc2=nn.Linear(32, 32)))
    assert graph.of_kind(Add)[0].shape == (32,)


def test_whoever_reads_a_tensor_after_it_was_added_to_reads_the_sum() -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        kept = x
        x += net.other(x)
        y = net.other(kept)
        kept.add_(y)
        return (x + y).flatten(1)

    graph = check(Net(middle, other=nn.Conv2d(2, 2, 1)))
    assert graph["other:1"].inputs == ("iadd",)
    assert graph["add"].inputs == ("add_", "other:1")


@pytest.mark.parametrize(
    "alias",
    [
        pytest.param(lambda net, x: net.same(x), id="identity"),
        pytest.param(lambda net, x: net.drop(x), id="dropout"),
        pytest.param(lambda net, x: F.dropout(x, 0.5, net.training), id="F.dropout"),
        pytest.param(lambda net, x: x.contiguous(), id="contiguous"),
        pytest.param(lambda net, x: x[:, :], id="slice-of-all"),
        pytest.param(lambda net, x: F.relu_(x), id="relu_"),
        pytest.param(lambda net, x: x.add_(net.other(x)), id="add_"),
    ],
)
@pytest.mark.parametrize("changed", ["first", "second"])
def test_names_of_one_tensor_change_together(alias: Callable[..., torch.Tensor], changed: str) -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        second = alias(net, x)
        (x if changed == "first" else second).relu_()
        return (net.other(x) + second).flatten(1)

    check(Net(middle, same=nn.Identity(), drop=nn.Dropout(), other=nn.Conv2d(2, 2, 1)))


def test_names_of_two_tensors_change_apart() -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        second = F.adaptive_avg_pool2d(x.relu(), 4)
        x.relu_()
        x += second
        second += net.other(x)
        return (x + second).flatten(1)

    check(Net(middle, other=nn.Conv2d(2, 2, 1)))


def test_a_view_of_what_a_sum_changes_is_never_lost() -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        x += net.other(x)
        return flat

    with pytest.raises(ModelError, match=r"does not compute what the module computes.*in-place"):
        check(Net(middle, other=nn.Conv2d(2, 2, 1)))


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(lambda net, x: torch.cat([x, net.other(x)], 1), id="cat"),
        pytest.param(lambda net, x: torch.cat((x, net.other(x)), dim=-3), id="negative"),
        pytest.param(lambda net, x: torch.cat(tensors=[x, net.other(x)], dim=1), id="names"),
        pytest.param(lambda net, x: torch.concat([x, net.other(x)], dim=1), id="concat"),
        pytest.param(lambda net, x: torch.concatenate([x, net.other(x)], axis=1), id="concatenate-axis"),
    ],
)
def test_every_way_to_concatenate_is_one(middle: Callable[..., torch.Tensor]) -> None:
    graph = check(Net(lambda net, x: middle(net, x).relu().flatten(1), 80, other=nn.Conv2d(2, 3, 1)))
    (node,) = graph.of_kind(Concat)
    assert node.inputs == ("conv", "other") and node.shape == (5, 4, 4)


@pytest.mark.parametrize("axis", [1, -1])
def test_concatenations_of_features(axis: int) -> None:
    graph = check(Net(lambda net, x: torch.cat([x.flatten(1), net.b(x.flatten(1))], axis), 37, b=nn.Linear(32, 5)))
    assert graph.of_kind(Concat)[0].shape == (37,)


def test_a_value_may_be_concatenated_with_itself_and_several_times() -> None:
    graph = check(Net(lambda net, x: torch.cat([x, net.b(x), x], 1).flatten(1), 80, b=nn.Conv2d(2, 1, 1)))
    assert graph.of_kind(Concat)[0].inputs == ("conv", "b", "conv")
    assert not check(Net(lambda net, x: torch.cat([x], 1).flatten(1))).of_kind(Concat)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 8))
def test_random_graphs_compute_what_the_module_computes(seed: int, size: int) -> None:
    import random

    class Random(nn.Module):
        """Layers that read earlier values, added and concatenated at random."""

        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(3))
            self.mix = nn.Conv2d(4, 2, 1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            choose = random.Random(seed)
            values = [self.convs[0](x)]
            for _ in range(size):
                a, b = choose.choice(values), choose.choice(values)
                kind = choose.randrange(6)
                if kind == 0:
                    values.append(a + b)
                elif kind == 1:
                    values.append(self.mix(torch.cat([a, b], 1)))
                elif kind == 2:
                    values.append(self.relu(a))
                elif kind == 3:
                    a += b
                    values.append(a)
                elif kind == 4:
                    values.append(F.max_pool2d(a, 3, 1, 1).add_(b))
                else:
                    values.append(self.convs[choose.randrange(3)](a))
            return sum(values)

    module = randomize(Random(), seed)
    batch = torch.randn(3, *IMAGE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert_equal_values(output_of(trace(module, IMAGE), batch), run_double(module, batch), 1e-9)


class BasicBlock(nn.Module):
    """A residual block with a shortcut of each kind that the literature has."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.added, self.stride, self.kind = outputs - inputs, stride, shortcut
        if shortcut == "B":
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "A":
            half = self.added // 2
            identity = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.added - half))
        else:
            identity = self.shortcut(x) if self.kind == "B" else x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_a_residual_network(shortcut: str) -> None:
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Sequential(BasicBlock(4, 4, 1, "identity"), BasicBlock(4, 9, 2, shortcut)),
        nn.Sequential(BasicBlock(9, 9, 1, "identity")),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(9, 3),
    )
    graph = check(module, (2, 8, 8))
    assert len(graph.of_kind(Add)) == 3 and len(graph.of_kind(ReLU)) == 7
    assert {node.modules for node in graph.of_kind(Add)} == {("2.0.iadd",), ("2.1.iadd_1",), ("3.0.iadd_2",)}


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "squeezenet1_0"])
def test_architectures_of_torchvision(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name == "googlenet" else {}
    module = getattr(models, name)(num_classes=5, **options).eval()
    size = 64
    if name in ("googlenet", "squeezenet1_0"):
        # Theirs are the poolings with ceil_mode, which has to change nothing.
        for part in module.modules():
            if isinstance(part, nn.MaxPool2d):
                part.ceil_mode = False
    graph = trace(module, (3, size, size))
    assert graph.of_kind(Concat if name != "resnet18" else Add)


def test_a_chain_has_no_joins() -> None:
    assert not trace(digits_cnn(), (1, 8, 8)).of_kind(Add, Concat)


class Tail(nn.Module):
    """A named place for a call, behind a parameter that is not to be added."""

    def __init__(self, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(1, 2, 1, 1))
        self.map = nn.Parameter(torch.ones(1, 2, 4, 4))
        self.register_buffer("zeros", torch.zeros(2, 2, 4, 4))
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(self, x)


class Constants(nn.Module):
    """Arithmetic with numbers, a parameter of no axes, a buffer for each channel and a plain tensor."""

    def __init__(self, call: Callable[[Constants, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(32, 3)
        self.factor = nn.Parameter(torch.tensor(0.3))
        self.register_buffer("mean", torch.tensor([0.2, -0.4])[:, None, None])
        self.std = torch.tensor([0.5, 2.0])[None, :, None, None]
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.call(self, self.conv(x)).flatten(1))


def _in_place(net: Constants, x: torch.Tensor) -> torch.Tensor:
    y = x.relu()
    y += 0.5
    y -= net.mean
    y *= 2
    y /= net.std
    return y.sub_(1).mul_(net.factor).div_(4).add_(net.mean) + x


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x: (x - net.mean) / net.std,
        lambda net, x: x * net.factor + 1,
        lambda net, x: 0.5 + x,
        lambda net, x: 1 - x,
        lambda net, x: net.mean - x,
        lambda net, x: net.factor * -x,
        lambda net, x: torch.rsub(x, 1),
        lambda net, x: torch.add(x, net.mean).mul(net.std[0]),
        lambda net, x: x + x.shape[1],
        lambda net, x: torch.neg(x.sub(net.mean)).div(3),
        _in_place,
    ],
)
def test_arithmetic_with_constants_is_a_map_for_each_channel(
    call: Callable[[Constants, torch.Tensor], torch.Tensor],
) -> None:
    module = Constants(call)
    batch = torch.randn(5, *IMAGE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module(batch.clone())
    assert torch.allclose(output_of(trace(module, IMAGE), batch), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tail, x: torch.add(x, x, alpha=2), "a sum with alpha=2.*alpha=1.*scale the weights"),
        (lambda tail, x: x.add(x, alpha=0.5), "alpha=0.5"),
        (lambda tail, x: x + tail.map, "a sum with the parameter or buffer odd.map of shape.*do it to the data"),
        (lambda tail, x: tail.map + x, "a sum with the parameter or buffer odd.map of shape.*do it to the data"),
        (lambda tail, x: x + x[:, :1], r"\(2, 2, 4, 4\) and \(2, 1, 4, 4\) repeats values.*1x1 convolution"),
        (lambda tail, x: F.adaptive_avg_pool2d(x, 1) + x, r"repeats values \(expected two values of one shape\)"),
        (lambda tail, x: torch.cat([x, x], 2), "a concatenation over axis 2.*use dim=1"),
        (lambda tail, x: torch.cat([x, x], -1), "a concatenation over axis -1.*use dim=1"),
        (lambda tail, x: torch.cat([x, x]), "a concatenation over axis 0.*use dim=1"),
        (lambda tail, x: tail.shift.relu() + x, "odd.shift is used as data"),
        (lambda tail, x: torch.cat([x, tail.zeros], 1), "a concatenation with the parameter odd.zeros"),
    ],
)
def test_joins_that_cannot_be_compiled_are_refused_by_path_and_line(
    call: Callable[..., torch.Tensor], message: str
) -> None:
    module = nn.Sequential()
    module.add_module("stem", nn.Conv2d(2, 2, 1))
    module.add_module("odd", Tail(call))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises((UnsupportedError, ModelError), match=rf"^odd\.\w+ \({line}\): .*{message}"):
        trace(module, IMAGE)


@pytest.mark.parametrize(
    "call", [lambda tail, x: x + F.max_pool2d(x, 3, 1), lambda tail, x: torch.cat([x, F.avg_pool2d(x, 3, 1)], 1)]
)
def test_joins_of_shapes_that_do_not_fit_are_refused_by_path_and_line(call: Callable[..., torch.Tensor]) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sequential(Tail(call)))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises(
        ModelError,
        match=rf"^1\.0\.\w+ \({line}\): .*does not run.*\(2, 4, 4\) and \(2, 2, 2\) there.*1x1 convolution",
    ):
        trace(module, IMAGE)
