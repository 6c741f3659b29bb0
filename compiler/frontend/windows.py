"""The windows of adaptive pooling."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, identity, kron

from snnc.compiler.ir import Shape, Sparse
from snnc.compiler.ir.pooling import Pooling


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
