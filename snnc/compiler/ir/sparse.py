"""Linear operations that are no convolution of their input: given entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix

from snnc.common.arrays import FloatArray
from snnc.compiler.ir.ops import Operation, Shape, as_tensor


@dataclass(frozen=True, eq=False)
class Sparse(Operation):
    """``M x + b`` on flattened values, channel first.

    Attributes:
        matrix: (values of ``shape``, values of ``input_shape``), float64; each row's entries are put into ascending
            order, one for each place.
        bias: Of shape ``shape``.
        shape: Shape of the output: (channels, height, width) or (features,).
        input_shape: Shape of the input.
    """

    matrix: csr_matrix
    bias: FloatArray
    shape: Shape
    input_shape: Shape

    def __post_init__(self) -> None:
        """Sort the entries: products and transposes have them in any order, and exact sums and files rest on it."""
        if not self.matrix.has_canonical_format:
            matrix = self.matrix.copy()
            matrix.sum_duplicates()
            object.__setattr__(self, "matrix", matrix)

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the declared shape."""
        (shape,) = inputs
        if shape != self.input_shape:
            raise ValueError(f"expected shape {self.input_shape}, found {shape}")
        return self.shape

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the product of the flattened input with the matrix, plus bias."""
        (x,) = inputs
        product = torch.sparse.mm(sparse_tensor(self.matrix, x), x.flatten(1).T)
        values: torch.Tensor = product.T.reshape(-1, *self.shape) + as_tensor(self.bias, x)
        return values

    def bias_map(self) -> FloatArray:
        """Return the bias with the axes of the output."""
        return self.bias


@dataclass(frozen=True, eq=False)
class ConvTranspose2d(Operation):
    """Transposed convolution, as ``nn.ConvTranspose2d``: the convolution of a grid stuffed with zeros.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, output_padding, dilation: (vertical, horizontal).
        groups: Number of channel groups.
    """

    weight: FloatArray
    bias: FloatArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    output_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return (out_channels, height, width)."""
        (shape,) = inputs
        if len(shape) != 3 or shape[0] != len(self.weight):
            raise ValueError(f"expected shape ({len(self.weight)}, height, width), found {shape}")
        height, width = (
            (shape[axis + 1] - 1) * self.stride[axis]
            - 2 * self.padding[axis]
            + self.dilation[axis] * (self.weight.shape[axis + 2] - 1)
            + self.output_padding[axis]
            + 1
            for axis in range(2)
        )
        if min(height, width) < 1:
            raise ValueError(f"expected a larger input than {shape}: the padding leaves nothing of the output")
        return (len(self.bias), height, width)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the transposed convolution plus bias."""
        (x,) = inputs
        return F.conv_transpose2d(
            x,
            as_tensor(self.weight, x),
            as_tensor(self.bias, x),
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


def sparse_tensor(matrix: csr_matrix, like: torch.Tensor) -> torch.Tensor:
    """Return a matrix as a sparse tensor of the precision and on the device of ``like``."""
    coordinates = matrix.tocoo()
    indices = torch.as_tensor(np.stack([coordinates.row, coordinates.col]).astype(np.int64))
    values = torch.as_tensor(coordinates.data)
    # Indices come out of a matrix, whose constructor checked them.
    tensor = torch.sparse_coo_tensor(indices, values, matrix.shape, check_invariants=False)
    return tensor.to(dtype=like.dtype, device=like.device).coalesce()
