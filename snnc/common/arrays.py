"""Names for the arrays of numpy that much of snnc takes and gives."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

# Real numbers of the ANN and of its conversion.
FloatArray = NDArray[np.float64]
# The chip's integers, and counts.
IntegerArray = NDArray[np.int64]
# Floating-point numbers of either width: loops are compiled for both.
FloatingArray = NDArray[np.floating[Any]]
# The type of an array's numbers, for functions that keep it.
Number = TypeVar("Number", bound=np.generic)


def per_channel(values: FloatArray, dimensions: int) -> FloatArray:
    """Return a number for each channel in a shape that combines with a batch.

    Args:
        values: (channels,).
        dimensions: Those of a sample of the batch, the channels first.

    Returns:
        (channels, 1, ...), of as many dimensions.
    """
    return values.reshape(-1, *(1,) * (dimensions - 1))
