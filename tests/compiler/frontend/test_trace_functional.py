"""Tracing functions whose weights are parameters and buffers of the module that calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.tracing import IMAGE, SEVERAL, check, output_of
from torch import nn

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import BatchNorm, Conv2d, ConvTranspose2d, Graph, Linear


class Weights(nn.Module):
    """Parameters and buffers, and a call that uses them."""

    def __init__(self, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)

        def random(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator))

        self.kernel, self.grouped, self.shift = random(2, 2, 3, 3), random(2, 1, 2, 2), random(2)
        self.matrix, self.matrix_shift = random(3, 32), random(3)
        self.register_buffer("mean", torch.tensor([0.5, -1.0]))
        self.register_buffer("variance", torch.tensor([0.5, 2.0]))
        self.register_buffer("broken", torch.tensor([0.5, float("nan")]))
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(self, x)


def traced(call: Callable[..., torch.Tensor], shape: tuple[int, ...] = IMAGE) -> Graph:
    module = nn.Sequential()
    module.add_module("inner", Weights(call))
    return check(module, shape)


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x: F.conv2d(x, net.kernel),
        lambda net, x: F.conv2d(x, net.kernel, net.shift, 2, 1),
        lambda net, x: F.conv2d(x, net.kernel, net.shift, (1, 2), (0, 1), (1, 1), 1),
        lambda net, x: F.conv2d(x, weight=net.kernel, bias=net.shift, padding="same"),
        lambda net, x: F.conv2d(input=x, weight=net.kernel, padding="valid"),
        lambda net, x: F.conv2d(x, net.grouped, groups=2, dilation=(2, 1)),
        lambda net, x: torch.conv2d(x, net.kernel, None, 1, 1),
    ],
)
def test_convolutions(call: Callable[..., torch.Tensor]) -> None:
    assert len(traced(call).of_kind(Conv2d)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x: F.conv_transpose2d(x, net.kernel),
        lambda net, x: F.conv_transpose2d(x, net.kernel, net.shift, 2, 1, 1),
        lambda net, x: F.conv_transpose2d(x, net.grouped, stride=(2, 3), groups=2, dilation=2, output_padding=1),
    ],
)
def test_transposed_convolutions(call: Callable[..., torch.Tensor]) -> None:
    assert len(traced(call).of_kind(ConvTranspose2d)) == 1


@pytest.mark.parametrize(
    "call", [lambda net, x: F.linear(x, net.matrix), lambda net, x: F.linear(x, net.matrix, bias=net.matrix_shift)]
)
def test_linear_layers(call: Callable[..., torch.Tensor]) -> None:
    assert len(traced(call, (32,)).of_kind(Linear)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x: F.batch_norm(x, net.mean, net.variance),
        lambda net, x: F.batch_norm(x, net.mean, net.variance, net.shift, net.shift, net.training, 0.1, 1e-2),
        lambda net, x: F.batch_norm(x, net.mean, net.variance, weight=net.shift, training=False, eps=0.5),
    ],
)
def test_batch_normalisation(call: Callable[..., torch.Tensor]) -> None:
    assert len(traced(call).of_kind(BatchNorm)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x: F.conv2d(x, torch.full((3, 2, 1, 1), 0.3)),
        lambda net, x: F.batch_norm(x, torch.full((2,), 0.3), torch.ones(2)),
    ],
)
def test_constants_that_forward_makes_are_parameters_too(call: Callable[..., torch.Tensor]) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), Weights(call))
    batch = torch.randn(3, *IMAGE)
    with torch.no_grad():
        expected = module(batch)
        assert torch.allclose(output_of(trace(module, IMAGE), batch), module.eval()(batch), atol=1e-5)
    assert torch.equal(expected, module(batch)), "the network is left as it was"


def test_a_network_of_functions_alone() -> None:
    def call(net: Weights, x: torch.Tensor) -> torch.Tensor:
        y = F.batch_norm(F.conv2d(x, net.kernel, padding=1), net.mean, net.variance)
        y = F.relu(y + x, inplace=True)
        return F.linear(torch.flatten(F.conv2d(y, net.kernel, net.shift, padding=1).relu(), 1), net.matrix)

    graph = traced(call)
    assert graph["linear"].modules == ("inner.linear",)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net, x: F.conv2d(x, net.kernel * 2), "the parameter or buffer inner.kernel is used as data"),
        (lambda net, x: F.conv2d(x, x.mean((0,), keepdim=True).relu()), "a mean over"),
        (lambda net, x: F.conv2d(x, x), "weight of conv2d is computed"),
        (lambda net, x: F.linear(x.flatten(1), net.matrix[:1]), "inner.matrix is used as data"),
        (lambda net, x: F.linear(x, net.matrix[0:1, :4]), "inner.matrix is used as data"),
        (lambda net, x: net.kernel.relu() + x[:, :1, :3, :3], "inner.kernel is used as data"),
        (lambda net, x: F.conv2d(net.kernel, x[:, :, :1, :1]), "weight of conv2d is computed"),
        (lambda net, x: x * net.shift.view(1, 2, 1, 1), "inner.shift is used as data|mul is not supported"),
        (lambda net, x: torch.matmul(x.flatten(1), net.matrix.t()), "inner.matrix is used as data"),
        (lambda net, x: F.batch_norm(x, net.mean, net.variance, training=True), "training=self.training"),
        (lambda net, x: F.batch_norm(x, net.mean, net.mean), "a running variance that is not positive"),
        (lambda net, x: F.batch_norm(x, net.broken, net.variance), "NaN or infinite"),
        (lambda net, x: F.conv2d(x, net.kernel, net.broken), "NaN or infinite"),
        (lambda net, x: F.conv2d(x, net.grouped, groups=2, padding="same"), "even kernel"),
    ],
)
def test_what_is_not_fixed_is_refused_by_path_and_line(call: Callable[..., torch.Tensor], message: str) -> None:
    module = nn.Sequential()
    module.add_module("inner", Weights(call))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises((UnsupportedError, ModelError), match=rf"^{SEVERAL}inner\.\w+ \({line}\): .*({message})"):
        trace(module, IMAGE)
