"""Tracing: what a module computes, or an error that names the place. Nothing in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.fx
import torch.nn.functional as F
from hypothesis import given
from support.networks import Case, assert_equal_values, dense_cases, image_cases, pooled_cases, randomize, run_double
from support.tracing import IMAGE, Block, Net, check, output_of
from torch import nn

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import AvgPool2d, Flatten, ReLU, Softmax


@given(image_cases() | pooled_cases() | dense_cases())
def test_the_graph_computes_what_the_module_computes(case: Case) -> None:
    graph = trace(case.module, case.shape)
    assert_equal_values(output_of(graph, case.inputs), case.expected(), 1e-12)


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(lambda net, x: F.relu(x).flatten(1), id="F.relu"),
        pytest.param(lambda net, x: F.relu(x, inplace=True).flatten(1), id="F.relu-inplace"),
        pytest.param(lambda net, x: F.relu_(x).flatten(1), id="F.relu_"),
        pytest.param(lambda net, x: torch.relu(x).flatten(1), id="torch.relu"),
        pytest.param(lambda net, x: torch.relu_(x).flatten(1), id="torch.relu_"),
        pytest.param(lambda net, x: x.relu().flatten(1), id="x.relu"),
        pytest.param(lambda net, x: x.relu_().flatten(1), id="x.relu_"),
        pytest.param(lambda net, x: net.relu(x).flatten(1), id="module"),
        pytest.param(lambda net, x: net.inplace(x).flatten(1), id="module-inplace"),
    ],
)
def test_every_way_to_write_relu_is_one(middle: Callable[..., torch.Tensor]) -> None:
    graph = check(Net(middle, relu=nn.ReLU(), inplace=nn.ReLU(inplace=True)))
    assert len(graph.of_kind(ReLU)) == 1


@pytest.mark.parametrize("call", [F.relu_, torch.relu_, nn.ReLU(inplace=True), lambda x: F.relu(x, inplace=True)])
def test_an_inplace_relu_whose_result_is_dropped_still_counts(call: Callable[..., torch.Tensor]) -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        (net.relu if isinstance(call, nn.Module) else call)(x)
        return x.flatten(1)

    graph = check(Net(middle, relu=call if isinstance(call, nn.Module) else nn.Identity()))
    assert len(graph.of_kind(ReLU)) == 1


def test_an_inplace_relu_on_a_view_is_never_lost() -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        x.relu_()
        return flat

    with pytest.raises(ModelError, match=r"does not compute what the module computes.*in-place"):
        check(Net(middle))


def test_a_relu_used_twice_is_two() -> None:
    graph = check(
        Net(lambda net, x: net.relu(net.second(net.relu(x))).flatten(1), relu=nn.ReLU(), second=nn.Conv2d(2, 2, 1))
    )
    assert [node.name for node in graph.of_kind(ReLU)] == ["relu", "relu:1"]
    assert all(node.modules == ("relu",) for node in graph.of_kind(ReLU))


def test_a_convolution_used_twice_is_two() -> None:
    check(Net(lambda net, x: net.conv(x.relu()).relu().flatten(1)))


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(lambda net, x: x.relu().view(x.size(0), -1), id="view-size"),
        pytest.param(lambda net, x: x.relu().view(x.shape[0], -1), id="view-shape"),
        pytest.param(lambda net, x: x.relu().view(-1, 32), id="view-number"),
        pytest.param(lambda net, x: x.relu().reshape(x.shape[0], -1), id="reshape"),
        pytest.param(lambda net, x: x.relu().reshape((x.size()[0], -1)), id="reshape-tuple"),
        pytest.param(lambda net, x: torch.reshape(x.relu(), (-1, 32)), id="torch.reshape"),
        pytest.param(lambda net, x: torch.flatten(x.relu(), 1), id="torch.flatten"),
        pytest.param(lambda net, x: torch.flatten(x.relu(), start_dim=1), id="torch.flatten-name"),
        pytest.param(lambda net, x: x.relu().flatten(start_dim=1), id="flatten-name"),
        pytest.param(lambda net, x: x.relu().contiguous().view(x.size(0), -1), id="contiguous"),
        pytest.param(lambda net, x: net.flat(x.relu()), id="module"),
    ],
)
def test_every_way_to_flatten_is_one(middle: Callable[..., torch.Tensor]) -> None:
    graph = check(Net(middle, flat=nn.Flatten()))
    assert len(graph.of_kind(Flatten)) == 1


@pytest.mark.parametrize(
    ("middle", "features"),
    [
        pytest.param(lambda net, x: F.avg_pool2d(x.relu(), 2), 8, id="default-stride"),
        pytest.param(lambda net, x: F.avg_pool2d(x.relu(), (3, 2), (1, 2), (1, 0)), 16, id="pairs"),
        pytest.param(lambda net, x: F.avg_pool2d(x.relu(), kernel_size=3, stride=1, padding=1), 32, id="names"),
        pytest.param(lambda net, x: F.avg_pool2d(x.relu(), 2, ceil_mode=True), 8, id="ceil-that-tiles"),
        pytest.param(lambda net, x: F.avg_pool2d(x.relu(), 2, count_include_pad=False), 8, id="no-pad-to-count"),
        pytest.param(lambda net, x: F.adaptive_avg_pool2d(x.relu(), 1), 2, id="adaptive"),
        pytest.param(lambda net, x: F.adaptive_avg_pool2d(x.relu(), (2, 1)), 4, id="adaptive-pair"),
        pytest.param(lambda net, x: F.adaptive_avg_pool2d(x.relu(), (None, 2)), 16, id="adaptive-none"),
    ],
)
def test_functional_pooling(middle: Callable[..., torch.Tensor], features: int) -> None:
    graph = check(Net(lambda net, x: middle(net, x).flatten(1), features))
    assert len(graph.of_kind(AvgPool2d)) == 1


def _by_unpacking(x: torch.Tensor) -> torch.Tensor:
    n, _, h, w = x.shape
    return F.avg_pool2d(x, (h, w)).view(n, -1)


def _by_conditions(x: torch.Tensor) -> torch.Tensor:
    assert x.ndim == x.dim() == len(x.shape) == 4
    return x[:, : int(x.shape[1]) // 2] if x.size(2) > 2 else x


@pytest.mark.parametrize(
    ("call", "features"),
    [
        (lambda x: F.avg_pool2d(x, x.size(3)), 2),
        (lambda x: F.avg_pool2d(x, x.size()[2:]), 2),
        (lambda x: F.avg_pool2d(x, x.size()[3]), 2),
        (lambda x: F.avg_pool2d(x, kernel_size=x.shape[-2:]), 2),
        (lambda x: x.reshape((x.size(0), -1)), 32),
        (lambda x: x.view(x.shape[0], x.shape[1:].numel()), 32),
        (lambda x: torch.cat([x[:, each : each + 1] for each in range(x.size(1))], 1), 32),
        (_by_unpacking, 2),
        (_by_conditions, 16),
    ],
)
def test_sizes_in_forward_are_numbers(call: Callable[..., torch.Tensor], features: int) -> None:
    check(Net(lambda net, x: call(x.relu()).flatten(1), features))


def test_the_number_of_samples_as_an_argument_of_a_function_is_understood_or_one_clear_error() -> None:
    try:
        check(Net(lambda net, x: torch.reshape(x, (x.size(0), -1))))
    except ModelError as error:
        # Older torch takes nothing but numbers there.
        assert "use x.flatten(1), or x.reshape() and x.view()" in str(error)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.ReLU(inplace=True),
        lambda: nn.MaxPool2d(2, 1, 1),
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.ReLU()),
        lambda: nn.ZeroPad2d(1),
    ],
)
def test_layers_without_weights_may_be_made_in_forward(layer: Callable[[], nn.Module]) -> None:
    features = layer()(torch.zeros(1, *IMAGE)).numel()
    check(Net(lambda net, x: layer()(x.relu()).flatten(1), features))


def test_a_layer_with_weights_made_in_forward_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^Net \(test_trace.py:\d+\): forward\(\) makes a Conv2d anew.*__init__"):
        trace(Net(lambda net, x: nn.Conv2d(2, 2, 1)(x).flatten(1)), IMAGE)


def test_what_depends_on_the_number_of_samples_is_noticed() -> None:
    """Tracing sees one number of samples only; the check against the module takes another."""
    with pytest.raises(ModelError, match="does not compute what the module computes"):
        trace(Net(lambda net, x: F.pad(x, (x.size(0) - 1, 0))[..., :4].flatten(1)), IMAGE)


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(2),
        nn.AvgPool2d((1, 3), stride=(2, 1), padding=(0, 1)),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((2, None)),
    ],
)
def test_pooling_modules(pool: nn.Module) -> None:
    check(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), pool, nn.Flatten()))


@pytest.mark.parametrize("training", [True, False])
def test_dropout_that_follows_the_training_flag_is_taken_off(training: bool) -> None:
    net = Net(lambda net, x: F.dropout(net.drop(x.relu().flatten(1)), 0.5, net.training), drop=nn.Dropout(0.9))
    net.train(training)
    check(net)


@pytest.mark.parametrize(
    "call",
    [lambda x: F.dropout(x), lambda x: F.dropout(x, 0.5, True), lambda x: F.dropout2d(x, training=True)],
)
def test_dropout_that_would_drop_at_inference_is_refused(call: Callable[..., torch.Tensor]) -> None:
    with pytest.raises(UnsupportedError, match=r"drops at inference.*self\.training"):
        trace(Net(lambda net, x: call(x.relu()).flatten(1)), IMAGE)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_by_name(padding: str, dilation: int) -> None:
    layers = [nn.Conv2d(2, 3, (3, 1), padding=padding, dilation=dilation), nn.ReLU(), nn.Flatten()]
    check(nn.Sequential(*layers), (2, 6, 6))


def test_even_kernels_with_same_padding_work_where_dilation_makes_it_even() -> None:
    check(nn.Sequential(nn.Conv2d(2, 3, 2, padding="same", dilation=2), nn.ReLU(), nn.Flatten()))


def test_nested_modules_keep_their_paths() -> None:
    module = nn.Sequential()
    module.add_module("stem", Block())
    module.add_module("head", nn.Sequential(Block(), nn.Sequential(nn.Flatten(), nn.Linear(32, 2))))
    names = [node.name for node in check(module)]
    assert "stem.layers.0" in names and "head.0.layers.2" in names and "head.1.1" in names


@pytest.mark.parametrize("name", ["input", "output", "normalization", "x"])
def test_modules_may_have_any_name(name: str) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 5)
            setattr(self, name, nn.Linear(5, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(self, name)(self.first(x).relu())

    graph = check(Named(), (4,))
    assert sum((name,) == node.modules for node in graph) == 1


@pytest.mark.parametrize("name", ["input", "output", "normalization"])
def test_modules_of_any_name_survive_the_passes(name: str) -> None:
    import numpy as np

    from snnc.compiler.ir.passes import PassManager
    from snnc.compiler.lowering.fold import FoldAffine, NormalizeInput
    from snnc.compiler.lowering.merge_linear import MergeLinear
    from snnc.compiler.lowering.spiking_layers import FormSpikingLayers

    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    module.add_module(name, nn.Linear(5, 3))
    randomize(module, 0)
    passes = [NormalizeInput(np.ones(4), np.zeros(4)), FoldAffine(), MergeLinear(), FormSpikingLayers()]
    batch = torch.rand(3, 4, dtype=torch.float64)
    assert_equal_values(output_of(PassManager(passes).run(trace(module, (4,))).graph, batch), run_double(module, batch))


def test_a_bare_module_and_a_traced_module_are_networks_too() -> None:
    graph = check(nn.Linear(4, 3), (4,))
    assert len(graph) == 3
    check(torch.fx.symbolic_trace(Net(lambda net, x: x.relu().flatten(1)).eval()))


def test_softmax_at_the_end_is_kept_in_the_graph() -> None:
    for tail in (nn.Softmax(1), nn.LogSoftmax(-1)):
        graph = check(nn.Sequential(nn.Linear(4, 3), tail), (4,))
        assert len(graph.of_kind(Softmax)) == 1


def test_what_the_output_does_not_depend_on_is_left_out() -> None:
    def middle(net: Net, x: torch.Tensor) -> torch.Tensor:
        net.aux(x)
        net.norm(net.aux(x)).relu()
        return x.relu().flatten(1)

    graph = check(Net(middle, aux=nn.Conv2d(2, 7, 1), norm=nn.BatchNorm2d(7)))
    assert not any("aux" in module or "norm" in module for node in graph for module in node.modules)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_the_module_is_left_as_it_was(training: bool, dtype: torch.dtype) -> None:
    module = nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    )
    module.to(dtype).train(training)
    module[2].eval()
    before, flags = state_of(module), [each.training for each in module.modules()]
    parameters = list(module.parameters())
    trace(module, IMAGE)
    after = state_of(module)
    assert all(before[name].dtype == after[name].dtype and torch.equal(before[name], after[name]) for name in before)
    assert [each.training for each in module.modules()] == flags
    assert all(a is b and a.requires_grad for a, b in zip(parameters, module.parameters(), strict=True))
