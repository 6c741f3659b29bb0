"""In which order a layer's values lie in memory: channels last for images, so that nothing is turned between layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import Number


def convolution_order(
    image: tuple[int, ...], kernel: tuple[int, ...], padding: tuple[int, int], dilation: tuple[int, int]
) -> torch.memory_format:
    """Return the order that suits a convolution on a CPU.

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
    """Return the order of a layer's values: that of convolutions for images.

    Args:
        shape: (channels, height, width) or (features,), without the batch.
    """
    return torch.channels_last if len(shape) == 3 else torch.contiguous_format


def in_memory(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a layer as it lies in memory: (height, width, channels), or (features,).

    Args:
        shape: (channels, height, width) or (features,).
    """
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def to_memory(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Return values whose last axes are a layer's with these axes as they lie in memory; a view.

    Args:
        values: (..., *shape).
        shape: The layer's shape, (channels, height, width) or (features,).
    """
    return np.moveaxis(values, -3, -1) if len(shape) == 3 else values


def from_memory(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Return the inverse of :func:`to_memory`: (..., *shape), a view.

    Args:
        values: (..., *in_memory(shape)).
        shape: The layer's shape.
    """
    return np.moveaxis(values, -1, -3) if len(shape) == 3 else values


def rows_in_memory(values: torch.Tensor) -> NDArray[Any]:
    """Return a tensor's values as numba takes them; the memory is shared.

    Args:
        values: (rows, *shape) on a CPU, in the order of :func:`layer_order`.

    Returns:
        (rows, neurons), the neurons in the order in which they lie in memory.
    """
    if values.ndim == 4:
        values = values.permute(0, 2, 3, 1)
    found: NDArray[Any] = values.view(len(values), math.prod(values.shape[1:])).numpy()
    return found
