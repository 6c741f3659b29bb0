"""Into which parts a layer is cut, one for each core."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Axis = Literal["rows", "columns", "channels"]
# In the order in which they are tried: bands of rows leave kernels and windows whole.
AXES: tuple[Axis, ...] = ("rows", "columns", "channels")
IntegerArray = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """A layer as a grid of blocks of nearly equal size.

    Attributes:
        channels: Number of ranges of channels, or of features.
        rows: Number of ranges of rows, 1 for features.
        columns: Number of ranges of columns, 1 for features.
    """

    channels: int = 1
    rows: int = 1
    columns: int = 1

    @property
    def parts(self) -> int:
        """Number of blocks."""
        return self.channels * self.rows * self.columns

    def finer(self, axis: Axis, shape: tuple[int, ...]) -> Cut | None:
        """The next cut whose longest range along an axis is shorter; None where each range is of length 1."""
        size = image_shape(shape)[("channels", "rows", "columns").index(axis)]
        now = getattr(self, axis)
        longest = math.ceil(size / now)
        return replace(self, **{axis: math.ceil(size / (longest - 1))}) if longest > 1 else None

    def ranges(self, shape: tuple[int, ...]) -> tuple[IntegerArray, IntegerArray, IntegerArray]:
        """Where the ranges begin and end: (channels + 1,), (rows + 1,) and (columns + 1,), from 0 to the size."""
        channels, rows, columns = (
            np.arange(count + 1, dtype=np.int64) * size // count
            for count, size in zip((self.channels, self.rows, self.columns), image_shape(shape), strict=True)
        )
        return channels, rows, columns

    def sums(self, values: IntegerArray) -> IntegerArray:
        """The sum of each block: values of shape (channels, height, width) to (channels, rows, columns) of the cut."""
        for axis, edges in enumerate(self.ranges(values.shape)):
            values = np.add.reduceat(values, edges[:-1], axis=axis)
        return values


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Features as an image of one pixel."""
    channels, height, width = shape if len(shape) == 3 else (shape[0], 1, 1)
    return channels, height, width
