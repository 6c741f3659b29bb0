"""Connections as a matrix, one entry for each pair of connected neurons, and how many places a window takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def window_output(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return the number of positions that a sliding window takes along one axis.

    Args:
        size: Length of the axis.
        kernel: Length of the window, in entries.
        stride: Distance of neighbouring positions.
        padding: Zeros put before and after the axis each.
        dilation: Distance of neighbouring entries of the window.

    Raises:
        ValueError: The window is larger than the padded input.
    """
    span = dilation * (kernel - 1) + 1
    if size + 2 * padding < span:
        raise ValueError(f"expected at least {span} rows or columns, found {size} padded by {padding} on each side")
    return (size + 2 * padding - span) // stride + 1


def convolution_matrix(
    weight: NDArray[Any],
    source_shape: tuple[int, ...],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> csr_matrix:
    """Return the matrix that a convolution with zero padding multiplies a flattened image with.

    Args:
        weight: (out_channels, in_channels / groups, height, width), any number type; zeros give no entry.
        source_shape: (in_channels, height, width) of the image.
        stride: (vertical, horizontal).
        padding: (vertical, horizontal).
        dilation: (vertical, horizontal).
        groups: Number of channel groups.

    Returns:
        (out_channels * out_height * out_width, in_channels * height * width), both flattened channel first; indices
        sorted, of the weights' number type.
    """
    outputs, per_group, *kernel = weight.shape
    channels, *sizes = source_shape
    reached = [window_output(*options) for options in zip(sizes, kernel, stride, padding, dilation, strict=True)]
    out, inside, *place = np.nonzero(weight)
    values = weight[out, inside, place[0], place[1]]
    source_channel = out // (outputs // groups) * per_group + inside
    # For each entry of the kernel the rows (and columns) of the image that it reads, and which of them exist.
    reads = [
        place[axis][:, None] * dilation[axis] - padding[axis] + np.arange(reached[axis]) * stride[axis]
        for axis in range(2)
    ]
    exists = [(read >= 0) & (read < size) for read, size in zip(reads, sizes, strict=True)]
    entry, row, column = np.nonzero(exists[0][:, :, None] & exists[1][:, None, :])
    target = (out[entry] * reached[0] + row) * reached[1] + column
    source = (source_channel[entry] * sizes[0] + reads[0][entry, row]) * sizes[1] + reads[1][entry, column]
    shape = (outputs * reached[0] * reached[1], channels * sizes[0] * sizes[1])
    matrix = csr_matrix((values[entry], (target, source)), shape)
    matrix.sort_indices()
    return matrix
