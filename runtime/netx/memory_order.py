"""How neurons lie in memory while they are simulated: channels last, as CPUs convolve fastest."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def in_memory(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a layer as it lies in memory: (height, width, channels), or (features,)."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def to_memory(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Values whose last axes are a layer's, as they lie in memory; a view.

    Args:
        values: (..., *shape).
        shape: The layer's shape, (channels, height, width) or (features,).
    """
    return np.moveaxis(values, -3, -1) if len(shape) == 3 else values


def from_memory(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """The inverse of :func:`to_memory`."""
    return np.moveaxis(values, -1, -3) if len(shape) == 3 else values
