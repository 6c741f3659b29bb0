"""Tracing pooling: maximum, average, adaptive, means; and transposed convolutions, its counterpart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import pairs
from support.tracing import Net, check
from torch import nn

from snnc.compiler.frontend.operations.pooling import regular, windows
from snnc.compiler.ir import AvgPool2d, ConvTranspose2d, Flatten, Identity, MaxPool2d, Sparse


def tailed(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 2, 1), layer, nn.Flatten())


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d((1, 3), stride=(2, 1), padding=(0, 1)),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(3, 1, padding=(1, 0)),
        nn.AdaptiveMaxPool2d(1),
        nn.AdaptiveMaxPool2d((2, None)),
        nn.AdaptiveMaxPool2d((3, 4)),
    ],
)
def test_modules_that_take_maxima(pool: nn.Module) -> None:
    assert len(check(tailed(pool)).of_kind(MaxPool2d)) == 1


@pytest.mark.parametrize(
    ("middle", "features"),
    [
        pytest.param(lambda x: F.max_pool2d(x, 2), 8, id="default-stride"),
        pytest.param(lambda x: F.max_pool2d(x, (3, 2), (1, 2), (1, 0)), 16, id="pairs"),
        pytest.param(lambda x: F.max_pool2d(x, kernel_size=3, stride=1, padding=1), 32, id="names"),
        pytest.param(lambda x: F.max_pool2d(x, 2, ceil_mode=True), 8, id="ceil-that-tiles"),
        pytest.param(lambda x: F.max_pool2d(x, 2, return_indices=False), 8, id="no-indices"),
        pytest.param(lambda x: torch.max_pool2d(x, 2), 8, id="torch"),
        pytest.param(lambda x: torch.max_pool2d(x, (2, 2), (1, 1)), 18, id="torch-pairs"),
        pytest.param(lambda x: torch.max_pool2d(x, [3], stride=[1], padding=[1]), 32, id="torch-names"),
        pytest.param(lambda x: F.adaptive_max_pool2d(x, 2), 8, id="adaptive"),
        pytest.param(lambda x: F.adaptive_max_pool2d(x, (None, 1)), 8, id="adaptive-none"),
    ],
)
def test_functions_that_take_maxima(middle: Callable[[torch.Tensor], torch.Tensor], features: int) -> None:
    graph = check(Net(lambda net, x: middle(x).flatten(1), features))
    assert len(graph.of_kind(MaxPool2d)) == 1


@given(st.integers(1, 12), st.integers(1, 12))
def test_windows_are_those_of_torch(size: int, parts: int) -> None:
    values = torch.eye(size).reshape(1, size, 1, size)
    means = F.adaptive_avg_pool2d(values, (1, parts)).reshape(size, parts).T.numpy()
    expected = np.zeros((parts, size))
    for part, window in enumerate(windows(size, parts)):
        expected[part, list(window)] = 1 / len(window)
    assert np.allclose(means, expected)


@given(st.integers(1, 20), st.integers(1, 20))
def test_windows_of_one_size_are_plain_windows(size: int, parts: int) -> None:
    found = regular(size, parts)
    if size % parts == 0:
        assert found == (size // parts, size // parts)
    if found:
        values = torch.arange(float(size)).reshape(1, 1, size)
        assert torch.equal(F.avg_pool1d(values, *found), F.adaptive_avg_pool1d(values, parts))


@settings(max_examples=40, deadline=None)
@given(pairs(1, 9), pairs(1, 11), st.booleans())
def test_adaptive_average_pooling_of_any_size(sizes: tuple[int, int], outputs: tuple[int, int], function: bool) -> None:
    class Pool(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.adaptive_avg_pool2d(x, outputs)

    graph = check(tailed(Pool() if function else nn.AdaptiveAvgPool2d(outputs)), (2, *sizes))
    if all(size % parts == 0 for size, parts in zip(sizes, outputs, strict=True)):
        assert not graph.of_kind(Sparse)


def test_pooling_to_the_size_that_is_there_is_nothing() -> None:
    for pool in (nn.AdaptiveAvgPool2d(4), nn.AdaptiveMaxPool2d(4)):
        graph = check(tailed(pool))
        assert len(graph.of_kind(Identity)) == 2, "the pooling and the output"
        assert not graph.of_kind(AvgPool2d, MaxPool2d, Sparse)


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(lambda x: x.mean([2, 3]), id="list"),
        pytest.param(lambda x: x.mean((3, 2)), id="reversed"),
        pytest.param(lambda x: x.mean(dim=(-1, -2)), id="negative"),
        pytest.param(lambda x: torch.mean(x, dim=(2, 3)), id="torch"),
        pytest.param(lambda x: torch.mean(x, (2, 3), keepdim=False), id="torch-false"),
        pytest.param(lambda x: x.mean((2, 3), True).flatten(1), id="keepdim"),
        pytest.param(lambda x: torch.mean(x, dim=(2, 3), keepdim=True).flatten(1), id="torch-keepdim"),
    ],
)
def test_means_over_the_image_are_pooling(middle: Callable[[torch.Tensor], torch.Tensor]) -> None:
    graph = check(Net(lambda net, x: middle(x.relu()), 2))
    (pool,) = graph.of_kind(AvgPool2d)
    assert pool.name == "mean" and pool.op.kernel == (4, 4) and len(graph.of_kind(Flatten)) == 1


def test_means_over_one_axis_that_is_kept() -> None:
    graph = check(Net(lambda net, x: x.mean(3, keepdim=True).mean(-2, True).flatten(1), 2))
    assert [node.op.kernel for node in graph.of_kind(AvgPool2d)] == [(1, 4), (4, 1)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_transposed_convolutions(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([1, 2]))
    kernel, stride, dilation = data.draw(pairs(1, 3)), data.draw(pairs(1, 3)), data.draw(pairs(1, 2))
    layer = nn.ConvTranspose2d(
        2,
        groups * data.draw(st.integers(1, 2)),
        kernel,
        stride,
        # So much that a row and a column are left.
        tuple(
            data.draw(st.integers(0, min(d * (k - 1), (3 * s + d * (k - 1)) // 2)))
            for s, d, k in zip(stride, dilation, kernel, strict=True)
        ),
        tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)),
        groups,
        data.draw(st.booleans()),
        dilation,
    )
    assert check(tailed(layer)).of_kind(ConvTranspose2d)


def test_transposed_convolutions_that_are_asked_for_a_size() -> None:
    up = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    for size in (7, 8):
        graph = check(Net(lambda net, x, size=size: net.up(x, [size, 8]).flatten(1), 3 * size * 8, up=up))
        assert graph["up"].op.output_padding == (size - 7, 1)
