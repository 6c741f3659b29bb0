"""Translating slices: ``x[:, :, ::2, ::2]``."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_matrix

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Conv2d, Identity, Operation, Shape, Sparse


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
