"""Tracing what moves values: slices and padding, as residual networks' shortcuts without parameters use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.networks import pairs
from support.tracing import Net, check
from torch import nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Conv2d, Graph, Identity, Sparse

SHAPE = (4, 5, 6)


class Moves(nn.Module):
    """A call between two layers, or alone."""

    def __init__(self, call: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x).relu()


def moved(call: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...] = SHAPE) -> Graph:
    return check(Moves(call), shape)


@pytest.mark.parametrize(
    ("call", "groups", "stride"),
    [
        (lambda x: x[:, :, ::2, ::2], 4, (2, 2)),
        (lambda x: x[..., ::2, ::3], 4, (2, 3)),
        (lambda x: x[:, :, ::2], 4, (2, 1)),
        (lambda x: x[..., 0::4], 4, (1, 4)),
        (lambda x: x[:, :, :5:2, :], 4, (2, 1)),
        (lambda x: x[:, 1:3], 1, (1, 1)),
        (lambda x: x[:, ::2], 1, (1, 1)),
        (lambda x: x[:, : x.shape[1] // 2], 1, (1, 1)),
        (lambda x: x[:, 1:, ::2, ::2], 1, (2, 2)),
    ],
)
def test_strides_and_channels_are_convolutions(
    call: Callable[[torch.Tensor], torch.Tensor], groups: int, stride: tuple[int, int]
) -> None:
    (node,) = moved(call).of_kind(Conv2d)
    assert node.op.weight.shape[2:] == (1, 1) and (node.op.groups, node.op.stride) == (groups, stride)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x[:, :, 1:],
        lambda x: x[:, :, :-1, 1::2],
        lambda x: x[:, 2:, 1:3],
        lambda x: x[..., 5:],
        lambda x: x[:, :, 1:4][:, :, 1:][:, 1:],
    ],
)
def test_other_slices_are_selections(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    nodes = moved(call).of_kind(Sparse)
    assert nodes and all(set(node.op.matrix.data) == {1.0} for node in nodes)


@pytest.mark.parametrize("call", [lambda x: x[:, 3:], lambda x: x[..., :7], lambda x: x[:, 1::4], lambda x: x[:, :8]])
def test_slices_of_features_are_selections(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert len(moved(call, (9,)).of_kind(Sparse)) == 1


@pytest.mark.parametrize("call", [lambda x: x[:], lambda x: x[...], lambda x: x[:, :, 0:, :9], lambda x: x[:, -9:]])
def test_slices_of_all_are_nothing(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert len(moved(call).of_kind(Identity)) == 2, "the slice and the output"


bounds = st.none() | st.integers(-7, 7)
slices = st.builds(slice, bounds, bounds, st.none() | st.integers(1, 4))


@settings(max_examples=80, deadline=None)
@given(st.tuples(slices, slices, slices), st.integers(0, 3))
def test_every_slice_takes_what_torch_takes(key: tuple[slice, ...], given_axes: int) -> None:
    taken = (slice(None), *key[:given_axes])
    assume(all(torch.zeros(2, *SHAPE)[taken].shape))
    moved(lambda x: x[taken])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.pad(x, (0, 0, 0, 0, 2, 2)),
        lambda x: F.pad(x, (0, 0, 0, 0, 0, 3), "constant", 0),
        lambda x: F.pad(x, [1, 1, 1, 1], mode="constant", value=0.0),
        lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)),
        lambda x: F.pad(x, (1, 0)),
        lambda x: F.pad(x, (0, 1, 0, 1)),
        lambda x: F.pad(x, (0, 1, 0, 0, 0, 0, 0, 0)),
        lambda x: F.pad(x, pad=(2, 0, 1, 3, 1, 0)),
        nn.ZeroPad2d(1),
        nn.ZeroPad2d((3, 0, 1, 2)),
        nn.ConstantPad2d((0, 1, 2, 3), 0),
        nn.ConstantPad2d(2, 0.0),
    ],
)
def test_padding_is_a_convolution(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    node = moved(call).of_kind(Conv2d)[-1]
    assert set(np.unique(node.op.weight)) <= {0.0, 1.0}


@settings(max_examples=60, deadline=None)
@given(pairs(0, 3), pairs(0, 3), pairs(0, 3))
def test_padding_of_all_sides(columns: tuple[int, int], rows: tuple[int, int], channels: tuple[int, int]) -> None:
    moved(lambda x: F.pad(x, (*columns, *rows, *channels)), (2, 3, 3))


@given(pairs(0, 3))
def test_padding_of_features(sides: tuple[int, int]) -> None:
    assert len(moved(lambda x: F.pad(x, sides), (5,)).of_kind(Sparse)) == any(sides)


def test_slices_and_padding_between_layers() -> None:
    check(Net(lambda net, x: F.pad(x[:, :1, 1:], (1, 0, 1, 0, 0, 1)).relu().flatten(1), 2 * 4 * 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x[:1], "a slice over the batch.*all samples"),
        (lambda x: x[::2], "a slice over the batch"),
        (lambda x: x[:, 0], "an index other than slices.*as in x"),
        (lambda x: x[:, None], "an index other than slices"),
        (lambda x: x[:, [0, 1]], "an index other than slices"),
        (lambda x: x[0], "an index other than slices"),
        (lambda x: x[:, :, 7:], "a slice that is empty"),
        (lambda x: F.pad(x, (1, -1)), r"negative padding \(1, -1\).*from 0 on.*slice"),
        (lambda x: F.pad(x, (1, 1), value=0.5), "padding with 0.5.*zeros"),
        (lambda x: F.pad(x, (1, 1, 1, 1), "reflect"), "mode='reflect'.*zeros"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"), "mode='replicate'.*zeros"),
        (lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 0, 1)), "padding of the batch"),
    ],
)
def test_what_moves_values_otherwise_is_refused_by_path_and_line(
    call: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(Moves(call)))
    line = f"{Path(__file__).name}:{call.__code__.co_firstlineno}"
    with pytest.raises(UnsupportedError, match=rf"^1\.0\.\w+ \({line}\): .*{message}"):
        trace(module, SHAPE)
