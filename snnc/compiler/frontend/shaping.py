"""Translating what changes no value but its place, and softmax."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import csr_matrix

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Add, Concat, Conv2d, Flatten, Identity, Operation, Shape, Softmax, Sparse


def add(call: Call) -> Operation:
    """The sum of two values that the network computes; ``sum([x, y])`` begins with ``0 + x``, which is ``x``."""
    # Two's operands stand first or second, or are named; torch calls them input (or self) and other.
    operands = [call.argument(name, position, None) for position, name in enumerate(("input", "other"))]
    alpha = call.keyword("alpha", 1)
    if alpha != 1:
        raise call.unsupported(
            f"a sum with alpha={alpha}", "alpha=1", advice="scale the weights of the layer that gives the second value"
        )
    if call.parameters:
        raise call.unsupported(
            f"a sum with the parameter {call.parameters[0].target}",
            "two values that the network computes",
            advice="make it the bias of the layer before",
        )
    if len(call.shapes) == 1:
        constant = next((each for each in operands if isinstance(each, int | float)), None)
        if constant == 0:
            return Identity()
        raise call.unsupported(
            f"a sum with the constant {constant}",
            "two values that the network computes",
            advice="add it to the bias of the layer before",
        )
    if len(set(call.shapes)) != 1:
        raise call.unsupported(
            f"a sum of {' and '.join(str(shape) for shape in call.shapes)} repeats values",
            "two values of one shape",
            advice="bring both to one shape before, for instance by a 1x1 convolution with the same stride on the "
            "shortcut",
        )
    return Add()


def concatenate(call: Call) -> Operation:
    """Values one behind the other along the channels."""
    axis = call.argument("dim", 1, call.keyword("axis", 0))
    axes = len(call.shape)
    if call.parameters:
        raise call.unsupported(
            f"a concatenation with the parameter {call.parameters[0].target}",
            "values that the network computes",
            advice="make it the bias of a layer",
        )
    if not isinstance(axis, int) or axis % axes != 1:
        raise call.unsupported(
            f"a concatenation over axis {axis} of shape {call.shapes[0]}", "the channels' axis, 1", advice="use dim=1"
        )
    return Concat() if len(call.shapes) > 1 else Identity()


def get_item(call: Call) -> Operation:
    """A slice as a map that moves values: a 1x1 convolution where it is one, else entry by entry.

    Raises:
        UnsupportedError: It is no slice, or one over the batch.
    """
    shape = call.shapes[0]
    batch, *taken = _ranges(call, shape)
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


def _ranges(call: Call, shape: Shape) -> list[range]:
    """The indices that are taken along each axis, the batch's first."""
    key = call.argument("key", 1, None)
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
    """Whether every ``step``-th index from 0 to the end is taken, as a convolution with that stride does."""
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


def flatten(call: Call) -> Operation:
    """Flatten, where a call keeps the batch axis and joins all others."""
    (shape,) = call.shapes
    if call.shape == shape:
        return Identity()
    if call.shape != (shape[0], math.prod(shape[1:])):
        raise call.unsupported(f"{call.kind} from {shape} to {call.shape}", "all axes but the batch joined into one")
    return Flatten()


def flatten_channels_last(images: torch.Tensor) -> torch.Tensor:
    """Images as features, in the order in which frameworks with channels last count them.

    Args:
        images: (samples, channels, rows, columns).

    Returns:
        (samples, rows * columns * channels), the channels of one pixel side by side.
    """
    return images.permute(0, 2, 3, 1).flatten(1)


def reordered(call: Call) -> Operation:
    """``flatten_channels_last`` as a map that moves values."""
    shape = call.shapes[0][1:]
    size = math.prod(shape)
    places = np.arange(size).reshape(shape).transpose(1, 2, 0).ravel()
    if np.array_equal(places, np.arange(size)):
        return Flatten()
    matrix = csr_matrix((np.ones(size), (np.arange(size), places)), (size, size))
    return Sparse(matrix, np.zeros(size), (size,), shape)


def softmax(call: Call, dim: object, *, logarithm: bool) -> Operation:
    """Softmax over the classes."""
    if len(call.shapes[0]) != 2 or dim not in (1, -1, None):
        raise call.unsupported(f"softmax over axis {dim} of shape {call.shapes[0]}", "the classes' axis, 1")
    return Softmax(logarithm)
