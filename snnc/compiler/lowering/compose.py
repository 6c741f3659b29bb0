"""Two linear operations in a row as one: a linear layer, a convolution, or the entries of their product."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn.grad import conv2d_input

from snnc.common.arrays import FloatArray
from snnc.compiler.ir import Conv2d, Linear, Shape, Sparse, Weighted
from snnc.compiler.lowering.fold import without_constant_axes
from snnc.program.connections import convolution_matrix

# Entries of a matrix that two operations may become; beyond, it would take more of a chip than neurons in between.
ENTRIES_MAXIMUM = 1 << 20


def composed(first: Weighted, second: Weighted, shape: Shape) -> Weighted | None:
    """Return ``second`` after ``first`` as one operation, always exact.

    Args:
        first: Reads an input of ``shape``.
        second: Reads the output of ``first``, flattened where it is a linear layer.
        shape: Shape of the input.

    Returns:
        A linear layer where ``second`` is one; else a convolution where a single one is exact; else the entries of
        their product; None where these are too many.
    """
    if isinstance(second, Linear):
        return into_linear(first, second, shape)
    if isinstance(first, Conv2d) and isinstance(second, Conv2d):
        convolution = into_conv2d(first, second, shape)
        if convolution is not None:
            return convolution
    return _into_sparse(first, second, shape)


def _into_sparse(first: Weighted, second: Weighted, shape: Shape) -> Sparse | None:
    between = first.output_shape(shape)
    if max(_entries(first, shape), _entries(second, between)) > ENTRIES_MAXIMUM:
        return None
    inner, outer = as_sparse(first, shape), as_sparse(second, between)
    reached = outer.matrix.astype(bool).astype(np.int64) @ np.diff(inner.matrix.indptr)
    if reached.sum() > ENTRIES_MAXIMUM:
        return None
    matrix = (outer.matrix @ inner.matrix).tocsr()
    bias = outer.bias + (outer.matrix @ inner.bias.ravel()).reshape(outer.shape)
    return Sparse(matrix, bias, outer.shape, shape)


def _entries(op: Weighted, shape: Shape) -> int:
    """Return an upper bound of the entries of an operation's matrix."""
    if isinstance(op, Sparse):
        return int(op.matrix.nnz)
    return int(np.count_nonzero(op.weight)) * math.prod(op.output_shape(shape)[1:])


def as_sparse(op: Weighted, shape: Shape) -> Sparse:
    """Return an operation on an input of some shape, entry by entry."""
    if isinstance(op, Sparse):
        return op
    output = op.output_shape(shape)
    bias = np.broadcast_to(op.bias_map(), output).copy()
    if isinstance(op, Linear):
        return Sparse(csr_matrix(op.weight), bias, output, shape)
    matrix = convolution_matrix(
        op.weight, shape, stride=op.stride, padding=op.padding, dilation=op.dilation, groups=op.groups
    )
    return Sparse(matrix, bias, output, shape)


def into_linear(first: Weighted, second: Linear, shape: Shape) -> Linear:
    """Return ``second`` after ``first`` as one linear layer; always exact.

    Args:
        first: Reads an input of ``shape``.
        second: Reads the (flattened) output of ``first``.
        shape: Shape of the input.
    """
    zero = torch.zeros(1, *shape, dtype=torch.float64)
    bias = second.apply(first.apply(zero))[0].numpy()
    if isinstance(first, Linear):
        return Linear(second.weight @ first.weight, bias)
    if isinstance(first, Sparse):
        return Linear((first.matrix.T @ second.weight.T).T, bias)
    rows = torch.as_tensor(second.weight).reshape(-1, *first.output_shape(shape))
    # The transpose of a convolution, applied to each row of the weights.
    weight = conv2d_input(  # type: ignore[no-untyped-call]
        (len(rows), *shape),
        torch.as_tensor(first.weight),
        rows,
        first.stride,
        first.padding,
        first.dilation,
        first.groups,
    )
    return Linear(weight.flatten(1).numpy(), bias)


def into_conv2d(first: Conv2d, second: Conv2d, shape: Shape) -> Conv2d | None:
    """Return ``second`` after ``first`` as one convolution, or None where no single convolution is exact.

    Exact where ``second`` does not pad, or where the zeros that it pads are what ``first`` would give outside its
    image: windows that hold nothing but padding, and no bias (pooling whose windows tile the image).
    """
    if any(second.padding) and not _vanishes_outside(first, shape):
        return None
    # The blocks of channels that neither of them mixes.
    groups = math.gcd(first.groups, second.groups)
    kernels = _composed_kernel(first, second)
    weight = _block_diagonal(kernels, groups)
    stride = (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1])
    padding = (
        first.padding[0] + second.padding[0] * first.stride[0],
        first.padding[1] + second.padding[1] * first.stride[1],
    )
    zero = torch.zeros(1, *shape, dtype=torch.float64)
    bias = without_constant_axes(second.apply(first.apply(zero))[0].numpy())
    composed = Conv2d(weight, bias, stride, padding, groups=groups)
    # Rounding down twice can leave a position less than rounding down once.
    return composed if composed.output_shape(shape) == second.output_shape(first.output_shape(shape)) else None


def _vanishes_outside(first: Conv2d, shape: Shape) -> bool:
    if first.bias.any():
        return False
    _, *outputs = first.output_shape(shape)
    for axis in range(2):
        span = first.dilation[axis] * (first.weight.shape[axis + 2] - 1) + 1
        before = span <= first.stride[axis] + first.padding[axis]
        after = outputs[axis] * first.stride[axis] - first.padding[axis] >= shape[axis + 1]
        if not (before and after):
            return False
    return True


def _block_diagonal(dense: FloatArray, groups: int) -> FloatArray:
    """Return the kernel of each group out of a dense one; the inverse of :attr:`Conv2d.dense_weight`."""
    outputs, inputs = dense.shape[0] // groups, dense.shape[1] // groups
    blocks = [dense[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs] for g in range(groups)]
    return np.concatenate(blocks)


def _composed_kernel(first: Conv2d, second: Conv2d) -> FloatArray:
    """Return the dense kernel (out, in, h, w) of both; the dilations become zeros in it."""
    inner, outer = first.dense_weight, second.dense_weight
    step = [first.stride[axis] * second.dilation[axis] for axis in range(2)]
    span = [first.dilation[axis] * (inner.shape[axis + 2] - 1) + 1 for axis in range(2)]
    size = [(outer.shape[axis + 2] - 1) * step[axis] + span[axis] for axis in range(2)]
    kernel = np.zeros((outer.shape[0], inner.shape[1], *size))
    for row in range(outer.shape[2]):
        for column in range(outer.shape[3]):
            top, left = row * step[0], column * step[1]
            window = kernel[
                :,
                :,
                top : top + span[0] : first.dilation[0],
                left : left + span[1] : first.dilation[1],
            ]
            window += np.einsum("oc,cihw->oihw", outer[:, :, row, column], inner, optimize=True)
    return kernel
