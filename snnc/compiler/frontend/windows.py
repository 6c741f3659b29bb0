"""Translating pooling, as a module or a function."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, identity, kron

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import AvgPool2d, Conv2d, Flatten, Identity, MaxPool2d, Operation, Shape, Sparse
from snnc.compiler.ir.pooling import Pooling
from snnc.program.connections import window_output

Sides = tuple[int, int]


def pad(call: Call, sides: object, value: object) -> Operation:
    """Zeros around an image, between or behind its channels, or around features.

    Args:
        call: The call.
        sides: As ``F.pad`` takes them: before and behind, the last axis first.
        value: What is padded with; None: 0.

    Raises:
        UnsupportedError: It pads with another value, cuts off, or pads the batch.
    """
    shape = call.shapes[0]
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
    """A convolution that moves values.

    A kernel of one more than ``|before - behind|`` under padding by the larger of both leaves, for ``size`` values,
    ``size + before + behind``; its single 1 stands where the value that belongs there comes from.
    """
    kernel = [abs(before - behind) + 1 for before, behind in (rows, columns)]
    padding = (max(rows), max(columns))
    row, column = (max(sides) - sides[0] for sides in (rows, columns))
    if any(front):
        weight = np.zeros((channels + sum(front), channels, *kernel))
        weight[front[0] : front[0] + channels, :, row, column] = np.eye(channels)
        return Conv2d(weight, np.zeros(len(weight)), padding=padding)
    weight = np.zeros((channels, 1, *kernel))
    weight[:, :, row, column] = 1
    return Conv2d(weight, np.zeros(channels), padding=padding, groups=channels)


def windows(size: int, parts: int) -> list[range]:
    """What adaptive pooling of ``size`` values to ``parts`` looks at, as torch places its windows."""
    return [range(part * size // parts, -(-(part + 1) * size // parts)) for part in range(parts)]


def regular(size: int, parts: int) -> tuple[int, int] | None:
    """Length and stride of the windows, where all have one length and one distance; else None."""
    placed = windows(size, parts)
    length = len(placed[0])
    stride = placed[1].start if parts > 1 else length
    expected = [range(part * stride, part * stride + length) for part in range(parts)]
    # A plain window slides on as long as it fits.
    complete = stride > 0 and (size - length) // stride + 1 == parts
    return (length, stride) if placed == expected and complete else None


def regular_pooling(kind: type[Pooling], inputs: Shape, outputs: Shape) -> Pooling | None:
    """Adaptive pooling of (height, width) as plain pooling, where its windows are those of one; else None."""
    rows, columns = (regular(size, parts) for size, parts in zip(inputs, outputs, strict=True))
    if rows is None or columns is None:
        return None
    return kind((rows[0], columns[0]), (rows[1], columns[1]))


def averaging(shape: Shape, outputs: Shape) -> Sparse:
    """Adaptive average pooling of (channels, height, width) to any (height, width)."""
    rows, columns = (_means(size, parts) for size, parts in zip(shape[1:], outputs, strict=True))
    matrix = csr_matrix(kron(identity(shape[0], format="csr"), kron(rows, columns, format="csr"), format="csr"))
    matrix.sort_indices()
    result = (shape[0], *outputs)
    return Sparse(matrix, np.zeros(result), result, shape)


def _means(size: int, parts: int) -> csr_matrix:
    """The matrix that takes the mean over each window, (parts, size)."""
    means = np.zeros((parts, size))
    for part, window in enumerate(windows(size, parts)):
        means[part, list(window)] = 1 / len(window)
    return csr_matrix(means)


Pair = tuple[int, int]


def average_pool(
    call: Call,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    *,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: object,
) -> AvgPool2d:
    """The pooling, where it is a plain mean over windows."""
    if divisor_override is not None:
        raise call.unsupported("average pooling with divisor_override", "divisor_override=None")
    if any(padding) and not count_include_pad:
        raise call.unsupported("average pooling with count_include_pad=False and padding", "count_include_pad=True")
    _check_ceil_mode(call, "average", kernel, stride, padding, ceil_mode)
    return AvgPool2d(kernel, stride, padding)


def max_pool(
    call: Call, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, *, ceil_mode: bool, return_indices: bool
) -> MaxPool2d:
    """The pooling, where its windows are dense and lie inside the padded image."""
    if return_indices:
        raise call.unsupported("maximum pooling with return_indices=True", "return_indices=False")
    if dilation != (1, 1):
        raise call.unsupported(
            f"maximum pooling with dilation {dilation[0]}x{dilation[1]}", "dilation=1", advice="use dense windows"
        )
    _check_ceil_mode(call, "maximum", kernel, stride, padding, ceil_mode)
    return MaxPool2d(kernel, stride, padding)


def adaptive_average_pool(call: Call) -> Operation:
    """The pooling to any size; entry by entry where the windows differ."""
    shape, outputs = call.shapes[0][1:], call.shape[2:]
    if shape[1:] == outputs:
        return Identity()
    return regular_pooling(AvgPool2d, shape[1:], outputs) or averaging(shape, outputs)


def adaptive_max_pool(call: Call, *, return_indices: bool) -> Operation:
    """The pooling, where all windows have one size."""
    if return_indices:
        raise call.unsupported("maximum pooling with return_indices=True", "return_indices=False")
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


def mean(call: Call) -> tuple[Operation, ...]:
    """The mean over the rows and columns of an image."""
    shape = call.shapes[0]
    given = call.argument("dim", 1, None)
    axes = (given,) if isinstance(given, int) else given if isinstance(given, tuple) else ()
    over = sorted({axis % len(shape) for axis in axes if isinstance(axis, int)})
    keep = bool(call.argument("keepdim", 2, False))
    if call.keyword("dtype", None) is not None:
        raise call.unsupported("a mean with a dtype of its own", "dtype=None")
    # Over one axis alone an image would be left with two, unless the axis is kept.
    if len(shape) != 4 or over not in ([2, 3], *([[2], [3]] if keep else [])):
        raise call.unsupported(
            f"a mean over axes {given} of shape {shape}" + (" with keepdim" if keep else ""),
            "both image axes: x.mean((2, 3))",
            advice="use AdaptiveAvgPool2d or AvgPool2d",
        )
    kernel = (shape[2] if 2 in over else 1, shape[3] if 3 in over else 1)
    pooling = AvgPool2d(kernel, kernel)
    return (pooling,) if keep else (pooling, Flatten())


def _check_ceil_mode(call: Call, kind: str, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> None:
    sizes = call.shapes[0][-2:]
    floor = tuple(window_output(*each) for each in zip(sizes, kernel, stride, padding, strict=True))
    if ceil_mode and floor != call.shape[-2:]:
        raise call.unsupported(
            f"{kind} pooling with ceil_mode=True over {sizes[0]}x{sizes[1]}",
            "windows that tile the input",
            advice="use ceil_mode=False",
        )
