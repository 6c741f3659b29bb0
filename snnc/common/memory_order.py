"""In which order values lie best in memory, and how numba sees them."""

from __future__ import annotations

import math
from typing import Any

import torch
from numpy.typing import NDArray


def convolution_order(
    image: tuple[int, ...], kernel: tuple[int, ...], padding: tuple[int, int], dilation: tuple[int, int]
) -> torch.memory_format:
    """The order for a convolution on a CPU.

    Channels last is up to three times as fast where channels are few. oneDNN crashes in it on images one pixel wide
    that are padded by more than the kernel reaches (torch 2.3.1), so that such ones keep the usual order.

    Args:
        image: (height, width).
        kernel: (height, width).
        padding: (vertical, horizontal).
        dilation: (vertical, horizontal).
    """
    reach = (step * (size - 1) for step, size in zip(dilation, kernel, strict=True))
    beyond = any(pad > each for pad, each in zip(padding, reach, strict=True))
    return torch.contiguous_format if beyond or min(image) == 1 else torch.channels_last


def layer_order(shape: tuple[int, ...]) -> torch.memory_format:
    """The order of a layer's values: that of convolutions, so that nothing is turned around between layers.

    Args:
        shape: (channels, height, width) or (features,), without the batch.
    """
    return torch.channels_last if len(shape) == 3 else torch.contiguous_format


def rows_in_memory(values: torch.Tensor) -> NDArray[Any]:
    """Values on a CPU as numba takes them, the memory shared.

    Args:
        values: (rows, *shape), in the order of :func:`layer_order`.

    Returns:
        (rows, neurons), the neurons in the order in which they lie in memory.
    """
    if values.ndim == 4:
        values = values.permute(0, 2, 3, 1)
    found: NDArray[Any] = values.view(len(values), math.prod(values.shape[1:])).numpy()
    return found


def shaped_from_memory(row: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """One row of :func:`rows_in_memory` in its layer's shape, a view."""
    return row.reshape(*shape[1:], shape[0]).transpose(2, 0, 1) if len(shape) == 3 else row.reshape(shape)
