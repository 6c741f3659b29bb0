"""Pooling over windows, of fixed or of adaptive size; means over the axes of an image."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix, identity, kron
from torch import nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.operations.call import Call, Pair
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import AvgPool2d, Flatten, Identity, MaxPool2d, Operation, Shape, Sparse
from snnc.compiler.ir.pooling import Pooling
from snnc.program.connections import window_output

advise("train with AvgPool2d or MaxPool2d instead", "lppool2d")
advise("use a mean over both image axes, x.mean((2, 3)), and scale the weights of the next layer", "sum")


@Operator(
    modules=(nn.MaxPool2d,),
    functions=(F.max_pool2d, torch.max_pool2d),
    aten=("max_pool2d", "max_pool2d_with_indices"),
    onnx=("MaxPool",),
    listed=("MaxPool2d",),
    conditions="windows without dilation and indices; `ceil_mode` only where it changes nothing",
)
def max_pool2d(
    call: Call,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: object = False,
    return_indices: object = False,
) -> MaxPool2d:
    """Build maximum pooling, where its windows are dense and lie inside the padded image."""
    kernel, steps, sides = _window(call, kernel_size, stride, padding)
    spread = call.pair("dilation", dilation)
    if return_indices:
        raise _with_indices(call)
    if spread != (1, 1):
        raise call.unsupported(
            f"maximum pooling with dilation {spread[0]}x{spread[1]}", "dilation=1", advice="use dense windows"
        )
    _check_ceil_mode(call, "maximum", kernel, steps, sides, bool(ceil_mode))
    return MaxPool2d(kernel, steps, sides)


@Operator(functions=(F.max_pool2d_with_indices, F.adaptive_max_pool2d_with_indices))
def max_pool2d_with_indices(call: Call) -> Operation:
    """Refuse pooling that gives the places of the maxima too."""
    raise _with_indices(call)


@Operator(
    modules=(nn.AvgPool2d,),
    functions=(F.avg_pool2d,),
    aten=("avg_pool2d",),
    onnx=("AveragePool",),
    listed=("AvgPool2d",),
    conditions="padded zeros counted; `ceil_mode` only where it changes nothing",
)
def avg_pool2d(
    call: Call,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    ceil_mode: object = False,
    count_include_pad: object = True,
    divisor_override: object = None,
) -> AvgPool2d:
    """Build average pooling, where it is a plain mean over windows."""
    kernel, steps, sides = _window(call, kernel_size, stride, padding)
    if divisor_override is not None:
        raise call.unsupported("average pooling with divisor_override", "divisor_override=None")
    if any(sides) and not count_include_pad:
        raise call.unsupported("average pooling with count_include_pad=False and padding", "count_include_pad=True")
    _check_ceil_mode(call, "average", kernel, steps, sides, bool(ceil_mode))
    return AvgPool2d(kernel, steps, sides)


@Operator(
    modules=(nn.AdaptiveMaxPool2d,),
    functions=(F.adaptive_max_pool2d,),
    aten=("adaptive_max_pool2d",),
    onnx=("GlobalMaxPool",),
    listed=("AdaptiveMaxPool2d",),
    conditions="windows of one size, without indices",
)
def adaptive_max_pool2d(call: Call, output_size: object = None, return_indices: object = False) -> Operation:
    """Build maximum pooling to a size, where all windows have one size."""
    if return_indices:
        raise _with_indices(call)
    inputs, outputs = call.shapes[0][2:], call.shape[2:]
    if inputs == outputs:
        return Identity()
    pooling = regular_pooling(MaxPool2d, inputs, outputs)
    if pooling is None:
        raise call.unsupported(
            f"adaptive maximum pooling from {inputs[0]}x{inputs[1]} to {outputs[0]}x{outputs[1]}, in windows of "
            "different sizes",
            "an output size that divides the input size",
            advice="use AdaptiveAvgPool2d, which may have any size, or MaxPool2d",
        )
    return pooling


@Operator(
    modules=(nn.AdaptiveAvgPool2d,),
    functions=(F.adaptive_avg_pool2d,),
    aten=("adaptive_avg_pool2d", "_adaptive_avg_pool2d"),
    onnx=("GlobalAveragePool",),
    listed=("AdaptiveAvgPool2d",),
    conditions="any size",
)
def adaptive_avg_pool2d(call: Call, output_size: object = None) -> Operation:
    """Build average pooling to any size; entry by entry where the windows differ."""
    shape, outputs = call.shapes[0][1:], call.shape[2:]
    if shape[1:] == outputs:
        return Identity()
    return regular_pooling(AvgPool2d, shape[1:], outputs) or averaging(shape, outputs)


@Operator(
    functions=(torch.mean,),
    methods=("mean",),
    aten=("mean",),
    onnx=("ReduceMean",),
    listed_call="means over both image axes",
    conditions="over both image axes, or over one with `keepdim`",
)
def mean(call: Call, dim: object = None, keepdim: object = False, *, dtype: object = None) -> tuple[Operation, ...]:
    """Build the mean over the rows and columns of an image."""
    shape = call.shapes[0]
    axes = (dim,) if isinstance(dim, int) else dim if isinstance(dim, tuple) else ()
    over = sorted({axis % len(shape) for axis in axes if isinstance(axis, int)})
    keep = bool(keepdim)
    if dtype is not None:
        raise call.unsupported("a mean with a dtype of its own", "dtype=None")
    # Over one axis alone an image would be left with two, unless the axis is kept.
    if len(shape) != 4 or over not in ([2, 3], *([[2], [3]] if keep else [])):
        raise call.unsupported(
            f"a mean over axes {dim} of shape {shape}" + (" with keepdim" if keep else ""),
            "both image axes: x.mean((2, 3))",
            advice="use AdaptiveAvgPool2d or AvgPool2d",
        )
    kernel = (shape[2] if 2 in over else 1, shape[3] if 3 in over else 1)
    pooling = AvgPool2d(kernel, kernel)
    return (pooling,) if keep else (pooling, Flatten())


def _window(call: Call, kernel_size: object, stride: object, padding: object) -> tuple[Pair, Pair, Pair]:
    """Return the size, stride and padding."""
    kernel = call.pair("kernel_size", kernel_size)
    # torch's own functions say by an empty list what those of torch.nn say by None.
    steps = kernel if stride in (None, ()) else call.pair("stride", stride)
    return kernel, steps, call.pair("padding", padding)


def _with_indices(call: Call) -> UnsupportedError:
    return call.unsupported("maximum pooling with return_indices=True", "return_indices=False")


def _check_ceil_mode(call: Call, kind: str, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> None:
    sizes = call.shapes[0][-2:]
    floor = tuple(window_output(*each) for each in zip(sizes, kernel, stride, padding, strict=True))
    if ceil_mode and floor != call.shape[-2:]:
        raise call.unsupported(
            f"{kind} pooling with ceil_mode=True over {sizes[0]}x{sizes[1]}",
            "windows that tile the input",
            advice="use ceil_mode=False",
        )


def windows(size: int, parts: int) -> list[range]:
    """Return what adaptive pooling of ``size`` values to ``parts`` looks at, as torch places its windows."""
    return [range(part * size // parts, -(-(part + 1) * size // parts)) for part in range(parts)]


def regular(size: int, parts: int) -> tuple[int, int] | None:
    """Return the length and stride of the windows, where all have one length and one distance; else None."""
    placed = windows(size, parts)
    length = len(placed[0])
    stride = placed[1].start if parts > 1 else length
    expected = [range(part * stride, part * stride + length) for part in range(parts)]
    # A plain window slides on as long as it fits.
    complete = stride > 0 and (size - length) // stride + 1 == parts
    return (length, stride) if placed == expected and complete else None


def regular_pooling(kind: type[Pooling], inputs: Shape, outputs: Shape) -> Pooling | None:
    """Return adaptive pooling of (height, width) as plain pooling, where its windows are those of one; else None."""
    rows, columns = (regular(size, parts) for size, parts in zip(inputs, outputs, strict=True))
    if rows is None or columns is None:
        return None
    return kind((rows[0], columns[0]), (rows[1], columns[1]))


def averaging(shape: Shape, outputs: Shape) -> Sparse:
    """Return adaptive average pooling of (channels, height, width) to any (height, width) as a sparse operation."""
    rows, columns = (_means(size, parts) for size, parts in zip(shape[1:], outputs, strict=True))
    matrix = csr_matrix(kron(identity(shape[0], format="csr"), kron(rows, columns, format="csr"), format="csr"))
    result = (shape[0], *outputs)
    return Sparse(matrix, np.zeros(result), result, shape)


def _means(size: int, parts: int) -> csr_matrix:
    """Return the matrix that takes the mean over each window, (parts, size)."""
    means = np.zeros((parts, size))
    for part, window in enumerate(windows(size, parts)):
        means[part, list(window)] = 1 / len(window)
    return csr_matrix(means)
