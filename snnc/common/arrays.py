"""Names for the arrays of numpy that much of snnc takes and gives, and the one way to shape numbers of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

# Real numbers of the ANN and of its conversion.
FloatArray = NDArray[np.float64]
# The chip's integers, and counts.
IntegerArray = NDArray[np.int64]
# Signed integers of any width: weights are stored in as few bits as hold them.
AnyIntegerArray = NDArray[np.signedinteger[Any]]
# Floating-point numbers of either width: loops are compiled for both.
FloatingArray = NDArray[np.floating[Any]]
# The type of an array's numbers, for functions that keep it.
Number = TypeVar("Number", bound=np.generic)


@overload
def per_channel(values: NDArray[Number], axes: int) -> NDArray[Number]: ...


@overload
def per_channel(values: torch.Tensor, axes: int) -> torch.Tensor: ...


def per_channel(values: NDArray[Any] | torch.Tensor, axes: int) -> NDArray[Any] | torch.Tensor:
    """Return numbers of channels, shaped to be combined with arrays whose last axes are those of a layer.

    Args:
        values: (channels, ...) of as many values as there are channels.
        axes: Axes of the layer, the first of which is that of the channels; batch and steps may come before them.

    Returns:
        (channels, 1, 1, ...), with so many axes.
    """
    # numpy and torch reshape alike.
    return values.reshape(-1, *(1,) * (axes - 1))
