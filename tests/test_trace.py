"""Tracing: what a module computes, or an error that names the place. Nothing in between."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import pytest
import torch
import torch.fx
import torch.nn.functional as F
from hypothesis import given
from networks import Case, assert_equal_values, dense_cases, image_cases, pooled_cases, randomize, run_double
from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.ir import AvgPool2d, Flatten, Graph, ReLU, Softmax, execute
from snnc.errors import ModelError, UnsupportedError

IMAGE = (2, 4, 4)
FEATURES = 32


class Net(nn.Module):
    """conv -> what the test is about -> fc."""

    def __init__(self, middle: Callable[[Net, torch.Tensor], torch.Tensor], features: int = FEATURES, **layers) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.fc = nn.Linear(features, 3)
        self.middle = middle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.middle(self, self.conv(x)))


def output_of(graph: Graph, batch: torch.Tensor) -> torch.Tensor:
    return execute(graph, batch)[graph.output.name]


def check(module: nn.Module, shape: tuple[int, ...] = IMAGE) -> Graph:
    """Traces and compares with the module on random data."""
    randomize(module, 3)
    batch = torch.randn(5, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    graph = trace(module, shape)
    assert_equal_values(output_of(graph, batch), run_double(module, batch), 1e-12)
    return graph


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


@pytest.mark.parametrize(
    ("call", "features"),
    [
        (lambda x: F.avg_pool2d(x, x.size(3)), 2),
        (lambda x: F.avg_pool2d(x, x.size()[2:]), 2),
        (lambda x: F.avg_pool2d(x, kernel_size=x.shape[-2:]), 2),
        (lambda x: torch.reshape(x, (x.size(0), -1)), 32),
    ],
)
def test_sizes_as_arguments_are_understood_or_one_clear_error(call: Callable[..., torch.Tensor], features: int) -> None:
    network = Net(lambda net, x: call(x.relu()).flatten(1), features)
    try:
        check(network)
    except ModelError as error:
        # Older torch takes no sizes of a traced tensor as arguments of these functions.
        assert "torch.fx cannot trace" in str(error)


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


class Block(nn.Module):
    def __init__(self, bad: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), bad or nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


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

    from snnc.compiler.passes.fold_affine import FoldAffine, NormalizeInput
    from snnc.compiler.passes.form_spiking_layers import FormSpikingLayers
    from snnc.compiler.passes.manager import PassManager
    from snnc.compiler.passes.merge_linear import MergeLinear

    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    module.add_module(name, nn.Linear(5, 3))
    randomize(module, 0)
    passes = [NormalizeInput(np.ones(4), np.zeros(4)), FoldAffine(), MergeLinear(), FormSpikingLayers()]
    batch = torch.rand(3, 4, dtype=torch.float64)
    assert_equal_values(output_of(PassManager(passes).run(trace(module, (4,))), batch), run_double(module, batch))


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


UNSUPPORTED_MODULES = [
    (nn.MaxPool2d(2), "MaxPool2d is not supported.*AvgPool2d"),
    (nn.LeakyReLU(), "LeakyReLU is not supported.*ReLU"),
    (nn.ReLU6(), "ReLU6 is not supported"),
    (nn.GELU(), "GELU is not supported"),
    (nn.Sigmoid(), "Sigmoid is not supported"),
    (nn.GroupNorm(1, 2), "GroupNorm is not supported"),
    (nn.InstanceNorm2d(2), "InstanceNorm2d is not supported"),
    (nn.ConvTranspose2d(2, 2, 2), "ConvTranspose2d is not supported"),
    (nn.Upsample(scale_factor=2), "Upsample is not supported"),
    (nn.AlphaDropout(0.5), "AlphaDropout is not supported"),
    (nn.LPPool2d(1, 2), "LPPool2d is not supported"),
    (nn.BatchNorm2d(2, track_running_stats=False), "running statistics"),
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "padding_mode='reflect'"),
    (nn.Conv2d(2, 2, 3, padding="same", padding_mode="circular"), "padding_mode='circular'"),
    (nn.Conv2d(2, 2, 2, padding="same"), "even kernel"),
    (nn.AvgPool2d(3, ceil_mode=True), "ceil_mode"),
    (nn.AvgPool2d(3, 1, 1, count_include_pad=False), "count_include_pad"),
    (nn.AvgPool2d(2, divisor_override=3), "divisor_override"),
    (nn.AdaptiveAvgPool2d(3), "divides"),
    (nn.Softmax2d(), "Softmax2d is not supported"),
    (nn.Softmax(1), "softmax over axis 1"),
    (nn.Unflatten(1, (1, 2)), "Unflatten is not supported"),
    (nn.Flatten(2), "flatten|Flatten"),
    (nn.PixelShuffle(1), "PixelShuffle is not supported"),
    (nn.LazyConv2d(2, 1), "Lazy"),
]


@pytest.mark.parametrize(("module", "message"), UNSUPPORTED_MODULES, ids=lambda each: type(each).__name__)
def test_unsupported_modules_are_refused_by_path(module: nn.Module, message: str) -> None:
    with pytest.raises((UnsupportedError, ModelError), match=message) as caught:
        trace(nn.Sequential(Block(), Block(copy.deepcopy(module)), nn.Flatten()), IMAGE)
    assert "1.layers.2" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x + 1,
        lambda x: x + x,
        lambda x: x * 2,
        lambda x: -x,
        lambda x: torch.cat([x, x], 1),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.leaky_relu(x),
        lambda x: F.relu6(x),
        lambda x: torch.sigmoid(x),
        lambda x: x.tanh(),
        lambda x: x.clamp(min=0),
        lambda x: F.hardtanh(x, 0, 1),
        lambda x: F.pad(x, (1, 1, 1, 1)),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x.transpose(2, 3),
        lambda x: x.mean((2, 3)),
        lambda x: x[:, :1],
        lambda x: x.chunk(2, 1)[0],
        lambda x: torch.max(x, 1)[0],
        lambda x: x.squeeze(),
        lambda x: F.normalize(x),
        lambda x: F.interpolate(x, scale_factor=2),
        lambda x: F.conv2d(x, torch.ones(2, 2, 1, 1)),
        lambda x: F.batch_norm(x, torch.zeros(2), torch.ones(2)),
        lambda x: torch.dropout(x, 0.5, True),
        lambda x: F.threshold(x, 0.1, 0),
        lambda x: torch.where(x > 0, x, 0),
        lambda x: x.detach(),
        lambda x: x.half(),
        lambda x: x.abs(),
        lambda x: x.add_(1),
        lambda x: torch.rand_like(x),
        lambda x: x.view(2, 2, 16),
        lambda x: F.avg_pool2d(x, 3, ceil_mode=True),
        lambda x: F.avg_pool2d(x, 3, 1, 1, False, False),
        lambda x: F.avg_pool2d(x, 2, divisor_override=3),
        lambda x: F.adaptive_avg_pool2d(x, 3),
        lambda x: F.softmax(x, 1),
    ],
)
def test_unsupported_functions_are_refused_by_path(call: Callable[..., torch.Tensor]) -> None:
    class Calls(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return call(x)

    module = nn.Sequential()
    module.add_module("stem", Block())
    module.add_module("odd", Calls())
    with pytest.raises(UnsupportedError) as caught:
        trace(module, IMAGE)
    assert "odd." in str(caught.value) or "_tensor_constant" in str(caught.value)
    assert "supported" in str(caught.value) and "\n" not in str(caught.value)


def test_residual_connections_are_refused_with_what_to_expect() -> None:
    with pytest.raises(UnsupportedError, match="residual"):
        trace(Net(lambda net, x: (x + net.conv(x)).relu().flatten(1)), IMAGE)


class ScaledReLU(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def test_a_subclass_of_a_supported_module_is_not_taken_for_it() -> None:
    with pytest.raises(UnsupportedError):
        trace(nn.Sequential(nn.Linear(2, 2), ScaledReLU()), (2,))


def test_a_forward_that_an_instance_replaced_is_not_ignored() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module[1].forward = lambda x: 2 * x.relu()
    with pytest.raises((UnsupportedError, ModelError)):
        trace(module, (2,))


@pytest.mark.parametrize("place", ["leaf", "container", "root"])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_that_change_values_are_never_ignored(place: str, kind: str) -> None:
    module = nn.Sequential(Block(), nn.Flatten(), nn.Linear(32, 2))
    target = {"leaf": module[0].layers[0], "container": module[0], "root": module}[place]
    if kind == "register_forward_hook":
        target.register_forward_hook(lambda owner, inputs, output: 2 * output)
    else:
        target.register_forward_pre_hook(lambda owner, inputs: (2 * inputs[0],))
    with pytest.raises((UnsupportedError, ModelError)):
        trace(module, IMAGE)


def test_weight_norm_is_refused() -> None:
    with pytest.raises((UnsupportedError, ModelError)):
        trace(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), nn.ReLU()), (2,))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["0.weight", "0.bias", "1.running_mean", "1.running_var", "1.weight", "1.bias"])
def test_parameters_that_are_not_finite_are_refused_by_path(place: str, value: float) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    state = module.state_dict()
    state[place].view(-1)[0] = value
    module.load_state_dict(state)
    with pytest.raises(UnsupportedError, match=f"^module {place[0]}: .*NaN or infinite"):
        trace(module, IMAGE)


def test_a_variance_that_gives_no_number_is_refused_by_path() -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU())
    for variance in (-1.0, -1e-5):
        module[1].running_var.fill_(variance)
        with pytest.raises(UnsupportedError, match=r"^module 1: "):
            trace(module, IMAGE)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 4), (2,), (2, 1, 1), (2, 5, 5), (), (0, 4, 4)])
def test_input_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises((ModelError, UnsupportedError)) as caught:
        trace(module, shape)
    assert "\n" not in str(caught.value)


def test_input_of_another_shape_is_told_in_one_line_with_advice(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"does not run on samples of shape \(3, 4, 4\).*calibration data"):
        trace(nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU()), (3, 4, 4))
    assert capfd.readouterr() == ("", "")


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu() if x.sum() > 0 else x


def test_control_flow_on_data_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"cannot trace.*control flow"):
        trace(Branches(), (3,))


class Asserts(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.ndim == 7
        return x.relu()


class Refuses(nn.Module):
    def __deepcopy__(self, memo: object) -> object:
        raise RuntimeError


@pytest.mark.parametrize("module", [Asserts(), Refuses()])
def test_errors_without_a_text_are_told_by_their_type(module: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"AssertionError|RuntimeError|control flow"):
        trace(module, (3,))


class TwoInputs(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x.relu()


class OptionalInput(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x.relu()


class TwoOutputs(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.relu(), x


class DictOutput(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": x.relu()}


class NoOutput(nn.Module):
    def forward(self, x: torch.Tensor) -> None:
        x.relu()


class SizeOutput(nn.Module):
    def forward(self, x: torch.Tensor) -> int:
        return x.relu().size(0)


class ChunkOutput(nn.Module):
    def forward(self, x: torch.Tensor) -> object:
        return x.chunk(2, 1)


class NoInput(nn.Module):
    def forward(self) -> torch.Tensor:
        return torch.ones(1)


class Constant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(torch.ones(2, 4))


@pytest.mark.parametrize(
    "module",
    [
        TwoInputs(),
        OptionalInput(),
        TwoOutputs(),
        DictOutput(),
        NoOutput(),
        SizeOutput(),
        ChunkOutput(),
        NoInput(),
        Constant(),
    ],
)
def test_several_or_strange_inputs_and_outputs_are_an_error(module: nn.Module) -> None:
    with pytest.raises((ModelError, UnsupportedError)) as caught:
        trace(module, (4,))
    assert "\n" not in str(caught.value)


class Unusual(nn.Module):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x).relu()


def test_a_module_that_cannot_be_copied_is_one_clear_error() -> None:
    with pytest.raises(ModelError, match="Unusual"):
        trace(Unusual(), (3,))


def test_a_module_that_only_runs_wrongly_in_training_is_traced_in_evaluation() -> None:
    class Flag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise AssertionError("in training")
            return self.fc(x).relu()

    check(Flag(), (3,))
