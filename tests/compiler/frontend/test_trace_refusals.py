"""What cannot be traced is an error that names the place. Nothing in between."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.tracing import IMAGE, SEVERAL, Block, Net, check
from torch import nn

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import execute

ACTIVATIONS = [
    nn.GELU(),
    nn.SiLU(),
    nn.Sigmoid(),
    nn.LeakyReLU(),
    nn.Tanh(),
    nn.ReLU6(),
    nn.Softplus(),
    nn.ELU(),
    nn.SELU(),
    nn.CELU(),
    nn.Mish(),
    nn.PReLU(),
    nn.Hardswish(),
    nn.Hardsigmoid(),
    nn.Hardtanh(),
]

UNSUPPORTED_MODULES = [
    *((activation, f"{type(activation).__name__} is not supported; train with ReLU") for activation in ACTIVATIONS),
    (nn.GroupNorm(1, 2), "GroupNorm is not supported; train with BatchNorm2d"),
    (nn.LayerNorm(4), "LayerNorm is not supported; train with BatchNorm2d"),
    (nn.InstanceNorm2d(2), "InstanceNorm2d is not supported"),
    (nn.Upsample(scale_factor=2), "Upsample is not supported; train with ConvTranspose2d"),
    (nn.AlphaDropout(0.5), "AlphaDropout is not supported"),
    (nn.LPPool2d(1, 2), "LPPool2d is not supported"),
    (nn.FractionalMaxPool2d(2, 2), "FractionalMaxPool2d is not supported"),
    (nn.BatchNorm2d(2, track_running_stats=False), "running statistics"),
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "padding_mode='reflect'"),
    (nn.Conv2d(2, 2, 3, padding="same", padding_mode="circular"), "padding_mode='circular'"),
    (nn.Conv2d(2, 2, 2, padding="same"), "even kernel"),
    (nn.AvgPool2d(3, ceil_mode=True), "average pooling with ceil_mode=True over 4x4.*use ceil_mode=False"),
    (nn.AvgPool2d(3, 1, 1, count_include_pad=False), "count_include_pad"),
    (nn.AvgPool2d(2, divisor_override=3), "divisor_override"),
    (nn.AvgPool2d(2, padding=2), "does not run on samples.*pad should be at most half"),
    (nn.MaxPool2d(3, ceil_mode=True), "maximum pooling with ceil_mode=True over 4x4.*use ceil_mode=False"),
    (nn.MaxPool2d(2, dilation=2), "maximum pooling with dilation 2x2.*dilation=1.*dense windows"),
    (nn.MaxPool2d(2, return_indices=True), "several tensors.*return_indices=False"),
    (nn.MaxPool2d(2, padding=2), "does not run on samples.*pad should be at most half"),
    (nn.AdaptiveMaxPool2d((5, 7)), "from 4x4 to 5x7.*different sizes.*AdaptiveAvgPool2d"),
    (nn.AdaptiveMaxPool2d(2, return_indices=True), "several tensors.*return_indices=False"),
    (nn.ZeroPad2d((1, -1, 0, 0)), r"negative padding \(1, -1, 0, 0\).*slice"),
    (nn.ConstantPad2d(1, 2.0), "padding with 2.0.*pad with zeros"),
    (nn.ReflectionPad2d(1), "ReflectionPad2d is not supported.*ZeroPad2d"),
    (nn.Softmax(2), "softmax over axis 2"),
    (nn.Softmax(-1), "softmax over axis -1"),
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


UNSUPPORTED_CALLS = [
    (lambda x: x * x.relu(), "product of two values.*not supported.*a constant.*squeeze-and-excitation"),
    (lambda x: x - x.relu(), "difference of two values.*not supported.*change the sign"),
    (lambda x: x / x.relu(), "division by what the network computes.*batch normalisation"),
    (lambda x: 1 / x, "division by what the network computes"),
    (lambda x: x / 0, "division by 0"),
    (lambda x: torch.div(x, 2, rounding_mode="floor"), "rounding_mode='floor'"),
    (lambda x: x // 2, "floordiv is not supported; multiply, or divide, by constants only"),
    (lambda x: torch.sub(x, 1, alpha=2), "alpha=2"),
    (lambda x: x - torch.ones(x.shape[1:]), r"a difference with the parameter or buffer .* of shape .*to the data"),
    (lambda x: x * torch.ones(x.shape[2:]), r"a product with the parameter or buffer .* of shape .*shape \(2, 1, 1\)"),
    (lambda x: F.gelu(x), "gelu is not supported; train with ReLU"),
    (lambda x: F.silu(x), "silu is not supported; train with ReLU"),
    (lambda x: F.leaky_relu(x), "leaky_relu is not supported; train with ReLU"),
    (lambda x: F.relu6(x), "relu6 is not supported; train with ReLU"),
    (lambda x: F.elu(x), "elu is not supported; train with ReLU"),
    (lambda x: F.softplus(x), "softplus is not supported; train with ReLU"),
    (lambda x: F.hardswish(x), "hardswish is not supported; train with ReLU"),
    (lambda x: torch.sigmoid(x), "sigmoid is not supported; train with ReLU"),
    (lambda x: x.tanh(), "Tensor.tanh is not supported; train with ReLU"),
    (lambda x: x.clamp(min=0), "Tensor.clamp is not supported; .*ClippedReLU"),
    (lambda x: F.hardtanh(x, 0, 1), "hardtanh is not supported; .*ClippedReLU"),
    (lambda x: F.threshold(x, 0.1, 0), "threshold is not supported"),
    (lambda x: x.permute(0, 2, 3, 1), "Tensor.permute is not supported"),
    (lambda x: x.transpose(2, 3), "Tensor.transpose is not supported"),
    (lambda x: x.chunk(2, 1)[0], "Tensor.chunk is not supported; take slices"),
    (lambda x: torch.split(x, 1, 1)[0], "split is not supported; take slices"),
    (lambda x: torch.stack([x, x]), "stack is not supported; .*dim=1"),
    (lambda x: torch.max(x, 1)[0], "max is not supported"),
    (lambda x: x.squeeze(), "Tensor.squeeze is not supported"),
    (lambda x: F.normalize(x), "normalize is not supported"),
    (lambda x: F.interpolate(x, scale_factor=2), "interpolate is not supported; .*ConvTranspose2d"),
    (lambda x: torch.matmul(x, x), "matmul is not supported; .*nn.Linear"),
    (lambda x: torch.dropout(x, 0.5, True), "dropout is not supported"),
    (lambda x: torch.where(x > 0, x, 0), "gt is not supported"),
    (lambda x: x.detach(), "Tensor.detach is not supported"),
    (lambda x: x.half(), "Tensor.half is not supported"),
    (lambda x: x.abs(), "Tensor.abs is not supported"),
    (lambda x: torch.rand_like(x), "rand_like is not supported"),
    (lambda x: x.view(2, 2, 16), "view from"),
    (lambda x: F.avg_pool2d(x, 3, ceil_mode=True), "ceil_mode=True over 4x4"),
    (lambda x: F.avg_pool2d(x, 3, 1, 1, False, False), "count_include_pad"),
    (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "divisor_override"),
    (lambda x: F.max_pool2d(x, 3, ceil_mode=True), "maximum pooling with ceil_mode=True over 4x4"),
    (lambda x: F.max_pool2d(x, 2, dilation=2), "dilation 2x2"),
    (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], "return_indices=True"),
    (lambda x: torch.max_pool2d(x, 2, dilation=(1, 2)), "dilation 1x2"),
    (lambda x: F.adaptive_max_pool2d(x, (7, 1)), "different sizes"),
    (lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[0], "return_indices=True"),
    (lambda x: x.mean(), "a mean over axes None"),
    (lambda x: x.mean(1), "a mean over axes 1.*AvgPool2d"),
    (lambda x: x.mean((2, 3), dtype=torch.float64), "dtype"),
    (lambda x: x.mean(3), "a mean over axes 3"),
    (lambda x: F.softmax(x, 3), "softmax over axis 3"),
]


class Calls(nn.Module):
    def __init__(self, call: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x)


@pytest.mark.parametrize(("call", "message"), UNSUPPORTED_CALLS)
def test_unsupported_functions_are_refused_by_path_and_line(
    call: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    module = nn.Sequential()
    module.add_module("stem", Block())
    module.add_module("odd", Calls(call))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises(UnsupportedError, match=rf"^{SEVERAL}odd\.\w+ \({line}\): .*{message}") as caught:
        trace(module, IMAGE)
    assert caught.value.advice or caught.value.expected
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pooling", [F.max_pool2d, F.avg_pool2d])
def test_an_argument_that_is_no_number_is_an_error(pooling: Callable[..., torch.Tensor]) -> None:
    with pytest.raises((UnsupportedError, ModelError)):
        trace(Net(lambda net, x: pooling(x, x.relu()).flatten(1)), IMAGE)


class ScaledReLU(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def same_or_refused(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether a module is refused; if it is not, the graph has to compute what it computes."""
    try:
        graph = trace(module, shape)
    except (UnsupportedError, ModelError):
        return True
    batch = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module.eval()(batch)
    assert torch.allclose(execute(graph, batch)[graph.output.name], expected, atol=1e-5)
    return False


def test_a_subclass_of_a_supported_module_is_not_taken_for_it() -> None:
    assert not same_or_refused(nn.Sequential(nn.Linear(2, 2), ScaledReLU()), (2,))


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
    assert same_or_refused(module, IMAGE) == (place != "container")


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


CONTROL_FLOW = [
    (lambda x: x.relu() if x.sum() > 0 else x, "cannot trace.*control flow"),
    (lambda x: x if x.shape[0] == 1 else x.relu(), "cannot trace.*control flow"),
    (lambda x: sum(row for row in x), "Proxy object cannot be iterated.*write the numbers out"),
    (lambda x: x.view(len(x), -1), "'len' is not supported.*write the numbers out"),
    (lambda x: x[:, : int(x.shape[0])], "int().*write the numbers out"),
    (lambda x: torch.zeros(x.shape[0], 2) + x, "zeros().*write the numbers out"),
    (lambda x: next(x for _ in range(x.shape[0])), "integer.*write the numbers out"),
]


@pytest.mark.parametrize(("call", "message"), CONTROL_FLOW)
def test_python_that_depends_on_data_or_their_sizes_is_refused_by_path_and_line(
    call: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    module = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(), Calls(call)))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises(ModelError, match=rf"^module 1\.1 \({line}\): .*{message}") as caught:
        trace(module, (3,))
    assert "\n" not in str(caught.value)


def test_control_flow_at_the_top_is_refused_by_class() -> None:
    with pytest.raises(ModelError, match=rf"^Calls \({Path(__file__).name}:\d+\): .*cannot trace.*control flow"):
        trace(Calls(lambda x: x.relu() if x.sum() > 0 else x), (3,))


class Asserts(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.ndim == 7
        return x.relu()


class Refuses(nn.Module):
    def __deepcopy__(self, memo: object) -> object:
        raise RuntimeError


@pytest.mark.parametrize("module", [Asserts(), Refuses()])
def test_errors_without_a_text_are_told_by_their_type(module: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"assert 2 == 7|RuntimeError"):
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


def test_a_second_input_is_named_and_one_that_need_not_be_given_is_none() -> None:
    with pytest.raises(UnsupportedError, match=r"^the network has several inputs \(expected one tensor, found x, y\)"):
        trace(TwoInputs(), (4,))
    assert not same_or_refused(OptionalInput(), (4,))


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


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Sequential(nn.Conv2d(2, 2, 1), nn.GELU()), nn.Sequential(nn.GELU(), nn.Flatten())
        self.lstm, self.fc = nn.LSTM(32, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(self.second(self.first(x)))[0].tanh())


def test_all_that_is_unsupported_is_named_at_once_with_every_place() -> None:
    with pytest.raises(UnsupportedError) as caught:
        trace(Several(), IMAGE)
    message = str(caught.value)
    assert message.startswith("4 places cannot be compiled: module first.1")
    # Newer versions of torch do not tell the line of what a Sequential calls.
    assert re.search(r"first\.1( \(.*\))?, module second\.0( \(.*\))?: GELU is not supported; train with ReLU", message)
    assert "module lstm" in message and "Tensor.tanh is not supported" in message
    assert message.count("supported: Conv2d") == 1


def test_a_long_list_of_places_ends_with_their_number() -> None:
    with pytest.raises(UnsupportedError, match=r"^25 places .* module 9: GELU is not .*; and 15 more; supported"):
        trace(nn.Sequential(*(nn.GELU() for _ in range(24)), nn.Tanh()), (3,))
