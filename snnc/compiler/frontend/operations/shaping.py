"""What changes no value but its place: padding, flattening, slices; and what does nothing at inference."""

from __future__ import annotations

import math
import operator

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import nn

from snnc.compiler.frontend.operations.call import Call
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import Conv2d, Flatten, Identity, Operation, Shape, Sparse

advise(
    "take slices instead: x[:, :8], x[:, 8:]",
    "chunk",
    "split",
    "tensorsplit",
    "gather",
    "narrow",
    "indexselect",
    "index",
)
advise("use flatten(1)", "squeeze")
advise("export the network before it is quantised", "quantizelinear", "dequantizelinear")

Sides = tuple[int, int]


@Operator(
    modules=(nn.ZeroPad2d, nn.ConstantPad2d),
    functions=(F.pad,),
    aten=("pad", "constant_pad_nd"),
    onnx=("Pad",),
    attributes={"pad": "padding"},
    listed=("ZeroPad2d",),
    conditions="with zeros; rows, columns and channels",
)
def pad(call: Call, pad: object = (), mode: object = "constant", value: object = None) -> Operation:
    """Build zeros around an image, between or after its channels, or around features.

    Args:
        call: The call.
        pad: Before and after, the last axis first.
        mode: What is padded with.
        value: The constant that is; None: 0.

    Raises:
        UnsupportedError: It pads with another value, cuts off, or pads the batch.
    """
    sides, shape = pad, call.shapes[0]
    if mode != "constant":
        raise call.unsupported(f"padding with mode={mode!r}", "mode='constant'", advice="pad with zeros instead")
    if not isinstance(sides, tuple | list) or not all(isinstance(each, int) for each in sides) or len(sides) % 2:
        raise call.unsupported(f"padding by {sides}", "whole numbers, two for each axis")
    if value not in (None, 0):
        raise call.unsupported(f"padding with {value}", "padding with 0", advice="pad with zeros instead")
    if any(each < 0 for each in sides):
        raise call.unsupported(
            f"negative padding {tuple(sides)}",
            "numbers from 0 on",
            advice="cut off by a slice instead: x[:, :, 1:, 1:]",
        )
    if not any(sides):
        return Identity()
    around = [(int(sides[index]), int(sides[index + 1])) for index in range(0, len(sides), 2)]
    if len(around) == len(shape) and any(around.pop()):
        raise call.unsupported("padding of the batch", "padding of channels, rows and columns")
    if len(shape) == 2:
        return _pad_features(shape[1], around[0])
    if len(shape) != 4:
        raise call.unsupported(f"padding of shape {shape}", "shape (batch, channels, height, width)")
    columns, rows, channels = (*around, (0, 0), (0, 0))[:3]
    return _pad_image(shape[1], channels, rows, columns)


def _pad_features(features: int, sides: Sides) -> Sparse:
    size = features + sum(sides)
    places = np.arange(features)
    matrix = csr_matrix((np.ones(features), (places + sides[0], places)), (size, features))
    return Sparse(matrix, np.zeros(size), (size,), (features,))


def _pad_image(channels: int, front: Sides, rows: Sides, columns: Sides) -> Conv2d:
    """Return a convolution that moves values.

    A kernel of one more than ``|before - after|`` under padding by the larger of both leaves, for ``size`` values,
    ``size + before + after``; its single 1 stands where the value that belongs there comes from.
    """
    kernel = [abs(before - after) + 1 for before, after in (rows, columns)]
    padding = (max(rows), max(columns))
    row, column = (max(sides) - sides[0] for sides in (rows, columns))
    if any(front):
        weight = np.zeros((channels + sum(front), channels, *kernel))
        weight[front[0] : front[0] + channels, :, row, column] = np.eye(channels)
        return Conv2d(weight, np.zeros(len(weight)), padding=padding)
    weight = np.zeros((channels, 1, *kernel))
    weight[:, :, row, column] = 1
    return Conv2d(weight, np.zeros(channels), padding=padding, groups=channels)


@Operator(
    modules=(nn.Dropout, nn.Dropout1d, nn.Dropout2d),
    functions=(F.dropout, F.dropout2d),
    aten=("dropout", "dropout_", "feature_dropout", "feature_dropout_", "native_dropout"),
    onnx=("Dropout",),
    listed=("Dropout",),
    conditions="removed; functions with `training=self.training`",
)
def dropout(call: Call, p: object = 0.5, training: object = True) -> Identity:
    """Build nothing: dropout is off at inference."""
    if training is True:
        name = f"F.{call.kind}"
        raise call.in_training(
            f"{name} without training=self.training drops at inference too", f"{name}(x, p, self.training)"
        )
    return Identity()


@Operator(
    modules=(nn.Identity,),
    functions=(torch.clone,),
    methods=("clone", "contiguous"),
    aten=("clone", "alias", "contiguous", "detach", "detach_"),
    onnx=("Identity", "Cast"),
    listed=("Identity",),
    conditions="removed",
)
def identity(call: Call) -> Identity:
    """Build nothing."""
    return Identity()


@Operator(
    modules=(nn.Flatten,),
    functions=(torch.flatten,),
    methods=("flatten",),
    aten=("flatten",),
    onnx=("Flatten", "Squeeze"),
    listed=("Flatten",),
    conditions="all axes but the batch into one",
)
def flatten(call: Call, start_dim: object = 0, end_dim: object = -1) -> Operation:
    """Build a flatten, where a call keeps the batch axis and joins all others; shapes say which axes those are."""
    return reshape(call)


@Operator(
    functions=(torch.reshape,),
    methods=("reshape", "view"),
    aten=("reshape", "view", "_unsafe_view", "_reshape_copy", "view_copy"),
    onnx=("Reshape",),
    conditions="the same",
)
def reshape(call: Call) -> Operation:
    """Build a flatten, where a call keeps the batch axis and joins all others."""
    (shape,) = call.shapes
    if call.shape == shape:
        return Identity()
    if call.shape != (shape[0], math.prod(shape[1:])):
        raise call.unsupported(f"{call.kind} from {shape} to {call.shape}", "all axes but the batch joined into one")
    return Flatten()


def flatten_channels_last(images: torch.Tensor) -> torch.Tensor:
    """Return images as features, in the order in which frameworks with channels last count them.

    Args:
        images: (samples, channels, rows, columns).

    Returns:
        (samples, rows * columns * channels), the channels of one pixel side by side.
    """
    return images.permute(0, 2, 3, 1).flatten(1)


@Operator(functions=(flatten_channels_last,))
def reordered(call: Call) -> Operation:
    """Build ``flatten_channels_last`` as a map that moves values."""
    shape = call.shapes[0][1:]
    size = math.prod(shape)
    places = np.arange(size).reshape(shape).transpose(1, 2, 0).ravel()
    if np.array_equal(places, np.arange(size)):
        return Flatten()
    matrix = csr_matrix((np.ones(size), (np.arange(size), places)), (size, size))
    return Sparse(matrix, np.zeros(size), (size,), shape)


@Operator(
    functions=(operator.getitem,),
    aten=("slice",),
    onnx=("Slice", "Split"),
    listed_call="slices",
    conditions="slices such as `x[:, :, ::2, ::2]` and `x[:, 8:]`, not over the batch",
)
def get_item(call: Call, key: object) -> Operation:
    """Build a slice as a map that moves values: a 1x1 convolution where it is one, else entry by entry.

    Raises:
        UnsupportedError: It is no slice, or one over the batch.
    """
    shape = call.shapes[0]
    batch, *taken = _ranges(call, key, shape)
    if batch != range(shape[0]):
        raise call.unsupported("a slice over the batch", "all samples: x[:, ...]")
    if not all(taken):
        raise call.unsupported("a slice that is empty", "at least one value")
    whole = [_is_whole(each, size) for each, size in zip(taken, shape[1:], strict=True)]
    if all(whole):
        return Identity()
    strided = [_is_strided(each, size) for each, size in zip(taken, shape[1:], strict=True)]
    if len(taken) == 3 and all(strided[1:]):
        return _convolution(taken, shape[1], channels_whole=whole[0])
    return _sparse(taken, shape[1:])


def _ranges(call: Call, key: object, shape: Shape) -> list[range]:
    """Return the indices that are taken along each axis, the batch's first."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if sum(part is Ellipsis for part in parts) == 1:
        place = next(index for index, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    slices = [part for part in parts if isinstance(part, slice)]
    if not len(slices) == len(parts) == len(shape):
        raise call.unsupported(
            f"an index other than slices: {key}", "slices with numbers, as in x[:, :, ::2, ::2]", kind="index"
        )
    return [range(size)[part] for part, size in zip(slices, shape, strict=True)]


def _is_whole(taken: range, size: int) -> bool:
    return taken == range(size)


def _is_strided(taken: range, size: int) -> bool:
    """Say whether every ``step``-th index from 0 to the end is taken, as a convolution with that stride does."""
    return taken == range(0, size, taken.step)


def _convolution(taken: list[range], channels: int, *, channels_whole: bool) -> Conv2d:
    stride = (taken[1].step, taken[2].step)
    if channels_whole:
        return Conv2d(np.ones((channels, 1, 1, 1)), np.zeros(channels), stride, groups=channels)
    weight = np.eye(channels)[list(taken[0])]
    return Conv2d(weight[:, :, None, None], np.zeros(len(weight)), stride)


def _sparse(taken: list[range], shape: Shape) -> Sparse:
    places = np.arange(math.prod(shape)).reshape(shape)[np.ix_(*taken)]
    matrix = csr_matrix(
        (np.ones(places.size), (np.arange(places.size), places.ravel())), (places.size, math.prod(shape))
    )
    return Sparse(matrix, np.zeros(places.shape), places.shape, shape)
