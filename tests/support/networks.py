"""Random networks, as hypothesis strategies, and plain executions to compare with.

In a folder of its own, which pyproject.toml puts on the path: tests cannot import one another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from snnc.compiler.ir import Affine


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """(vertical, horizontal), which need not be equal."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


def randomize(module: nn.Module, seed: int) -> nn.Module:
    """Gives every parameter and every running statistic a value that shows when it is lost."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / fan_in**0.5
            if layer.bias is not None:
                layer.bias.data = torch.randn(layer.bias.shape, generator=generator)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = torch.randn(layer.num_features, generator=generator)
            layer.running_var = 0.2 + 2 * torch.rand(layer.num_features, generator=generator)
            if layer.affine:
                layer.weight.data = torch.randn(layer.num_features, generator=generator)
                layer.bias.data = torch.randn(layer.num_features, generator=generator)
    return module


@dataclass
class Case:
    """A network with data.

    Attributes:
        module: In training mode, as it comes out of its constructor.
        shape: Of one sample.
        affine: From levels to what the module sees.
        levels: (samples, *shape), uint8.
    """

    module: nn.Module
    shape: tuple[int, ...]
    affine: Affine
    levels: np.ndarray

    @property
    def inputs(self) -> torch.Tensor:
        """What the module sees, float64."""
        return self.affine.apply(torch.as_tensor(self.levels, dtype=torch.float64))

    def expected(self) -> torch.Tensor:
        """What the module makes of it, float64."""
        return run_double(self.module, self.inputs)


def run_double(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The module in evaluation mode and float64; the module is left as it was."""
    import copy

    with torch.no_grad():
        return copy.deepcopy(module).double().eval()(inputs)


def assert_equal_values(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-9) -> None:
    """Equal relative to the largest value."""
    assert found.shape == expected.shape
    scale = 1 + expected.abs().max().item()
    assert (found - expected).abs().max().item() <= tolerance * scale


@st.composite
def affines(draw: st.DrawFn, channels: int) -> Affine:
    """Input normalisation: of 8-bit levels divided by 255, with mean and std for each channel."""
    mean = np.array([draw(st.floats(-1, 1)) for _ in range(channels)])
    std = np.array([draw(st.floats(0.1, 2)) for _ in range(channels)])
    return Affine(1 / 255 / std, -mean / std)


def _batch_norm_2d(draw: st.DrawFn, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=draw(st.sampled_from([1e-5, 1e-3])), affine=draw(st.booleans()))


@st.composite
def conv_blocks(draw: st.DrawFn, shape: tuple[int, ...]) -> list[nn.Module]:
    """Batch norm, convolution, batch norm, ReLU, dropout, pooling; all but convolution and ReLU optional."""
    channels = shape[0]
    layers: list[nn.Module] = []
    groups = draw(st.sampled_from([g for g in (1, 1, 2, channels) if channels % g == 0]))
    kernel, dilation = draw(pairs(1, 3)), draw(pairs(1, 2))
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(max(draw(st.integers(0, 2)), -(-(s - size) // 2)) for s, size in zip(spans, shape[1:], strict=True))
    layers.append(
        nn.Conv2d(
            channels,
            groups * draw(st.integers(1, 3)),
            kernel,
            draw(pairs(1, 2)),
            padding,
            dilation,
            groups,
            bias=draw(st.booleans()),
        )
    )
    if draw(st.booleans()):
        layers.append(_batch_norm_2d(draw, layers[-1].out_channels))
    layers.append(nn.ReLU(inplace=draw(st.booleans())))
    if draw(st.booleans()):
        layers.append(draw(st.sampled_from([nn.Dropout(0.5), nn.Dropout2d(0.5), nn.Identity()])))
    return layers


def output_shape(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one sample's output."""
    was_training = module.training
    with torch.no_grad():
        result = tuple(module.eval()(torch.zeros(1, *shape)).shape[1:])
    module.train(was_training)
    return result


@st.composite
def dense_layers(draw: st.DrawFn, features: int) -> list[nn.Module]:
    """Linear layers with batch norm, ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            layers.append(nn.BatchNorm1d(features))
        width = draw(st.integers(1, 6))
        layers.append(nn.Linear(features, width, bias=draw(st.booleans())))
        features = width
        if draw(st.booleans()):
            layers.append(nn.BatchNorm1d(features, affine=draw(st.booleans())))
        if draw(st.booleans()):
            layers.append(nn.ReLU())
        if draw(st.booleans()):
            layers.append(nn.Dropout(0.3))
    layers.append(nn.Linear(features, draw(st.integers(1, 5))))
    if draw(st.booleans()):
        layers.append(nn.BatchNorm1d(layers[-1].out_features))
    return layers


@st.composite
def image_cases(draw: st.DrawFn) -> Case:
    """Convolutional networks: everything that is supported in one, in random order."""
    shape: tuple[int, ...] = (draw(st.integers(1, 3)), draw(st.integers(4, 9)), draw(st.integers(4, 9)))
    first = shape
    layers: list[nn.Module] = []
    for index in range(draw(st.integers(1, 3))):
        if index and draw(st.booleans()):
            layers.append(_batch_norm_2d(draw, shape[0]))
        layers += draw(conv_blocks(shape))
        shape = output_shape(nn.Sequential(*layers), first)
    pooling = draw(st.sampled_from(["none", "global", "window"]))
    if pooling == "global":
        layers.append(nn.AdaptiveAvgPool2d(1))
    elif pooling == "window":
        kernel = (draw(st.integers(1, shape[1])), draw(st.integers(1, shape[2])))
        padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
        layers.append(nn.AvgPool2d(kernel, draw(pairs(1, 3)), padding))
    layers.append(nn.Flatten())
    features = output_shape(nn.Sequential(*layers), first)[0]
    layers += draw(dense_layers(features))
    return _case(draw, nn.Sequential(*layers), first)


@st.composite
def pooled_cases(draw: st.DrawFn) -> Case:
    """Pooling between convolutions, with and without overlap and padding."""
    first = (draw(st.integers(1, 2)), draw(st.integers(6, 9)), draw(st.integers(6, 9)))
    layers = draw(conv_blocks(first))
    shape = output_shape(nn.Sequential(*layers), first)
    kernel = (draw(st.integers(1, min(3, shape[1]))), draw(st.integers(1, min(3, shape[2]))))
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    layers.append(nn.AvgPool2d(kernel, draw(pairs(1, 3)), padding))
    layers += draw(conv_blocks(output_shape(nn.Sequential(*layers), first)))
    layers.append(nn.Flatten())
    layers.append(nn.Linear(output_shape(nn.Sequential(*layers), first)[0], 3))
    return _case(draw, nn.Sequential(*layers), first)


@st.composite
def dense_cases(draw: st.DrawFn) -> Case:
    """Networks on features."""
    features = draw(st.integers(1, 6))
    layers = [nn.Linear(features, 5), nn.ReLU(), *draw(dense_layers(5))]
    return _case(draw, nn.Sequential(*layers), (features,))


def _case(draw: st.DrawFn, module: nn.Module, shape: tuple[int, ...]) -> Case:
    seed = draw(st.integers(0, 2**20))
    levels = np.random.default_rng(seed).integers(0, 256, (3, *shape)).astype(np.uint8)
    levels[0] = draw(st.sampled_from([0, 128, 255]))
    return Case(randomize(module, seed), shape, draw(affines(shape[0])), levels)
