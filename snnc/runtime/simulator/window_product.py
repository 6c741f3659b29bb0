"""Convolutions as one matrix product of all windows, on any device.

A library's convolutions may transform their input (Winograd, Fourier), which is exact in real numbers and not in
floating point; a matrix product adds up products in some order, which is exact for whole numbers while no sum leaves
what the number type counts in ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from snnc.program import Synapse
from snnc.program.connections import window_output

# What 8 bits with a sign hold.
LARGEST_INPUT = 127
# Sides of 8-bit products are multiples of this, and more than twice it (torch._int_mm).
ALIGNMENT = 8


class WindowProduct:
    """The linear map of a convolution or of a dense synapse.

    Args:
        synapse: The synapse.
        neurons: Number of neurons that it feeds.
        number: Number type to multiply in; exact as long as it holds every sum. int8: halves of weights, added up in 32
            bits; for even weights and inputs up to 127.
        dtype: Number type of the result.
        device: Where to compute.
    """

    def __init__(
        self, synapse: Synapse, neurons: int, *, number: torch.dtype, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._synapse = synapse
        self._number = number
        self._dtype = dtype
        integer = number == torch.int8
        self._scale = float(2 << synapse.exponent) if integer else 1.0
        weight = synapse.weight >> 1 if integer else synapse.scaled_weight
        outputs = len(weight) // synapse.groups
        # (groups, entries of a window, output channels of a group)
        matrix = weight.reshape(synapse.groups, outputs, -1).swapaxes(1, 2)
        self._outputs = outputs
        if integer:
            excess = [-size % ALIGNMENT for size in matrix.shape[1:]]
            matrix = np.pad(matrix, ((0, 0), (0, excess[0]), (0, excess[1])))
        self._weight = torch.as_tensor(np.ascontiguousarray(matrix), device=device).to(number)
        windows = neurons // len(weight) * synapse.groups
        # Windows, once in bytes and once as numbers, and what comes out before it is converted.
        self.scratch = windows * matrix.shape[1] * (1 + number.itemsize) + neurons * 8

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the input of the layer.

        Args:
            values: (batch, *source shape), uint8 for products in int8.

        Returns:
            (batch, channels, height, width), or (batch, features).
        """
        if self._synapse.kind == "dense":
            return self._product(values.flatten(1)[:, None])
        batch, height, width, *_ = (windows := self._windows(values)).shape
        found = self._product(windows.flatten(4).flatten(0, 2))
        return found.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def _windows(self, values: torch.Tensor) -> torch.Tensor:
        """Return (batch, height, width, groups, channels of a group, kernel height, kernel width), a view."""
        synapse = self._synapse
        rows, columns = synapse.padding
        padded = F.pad(values.contiguous(), (columns, columns, rows, rows))
        batch, channels, *sizes = padded.shape
        kernel = synapse.weight.shape[2:]
        reached = [
            window_output(size, length, stride, 0, dilation)
            for size, length, stride, dilation in zip(sizes, kernel, synapse.stride, synapse.dilation, strict=True)
        ]
        image, channel, row, column = padded.stride()
        group = channels // synapse.groups
        return padded.as_strided(
            (batch, *reached, synapse.groups, group, *kernel),
            (
                image,
                row * synapse.stride[0],
                column * synapse.stride[1],
                channel * group,
                channel,
                row * synapse.dilation[0],
                column * synapse.dilation[1],
            ),
        )

    def _product(self, windows: torch.Tensor) -> torch.Tensor:
        """Return (windows, groups, entries) times the weights: (windows, groups * output channels of a group)."""
        count, groups, entries = windows.shape
        if self._number != torch.int8:
            found = torch.einsum("wge,geo->wgo", windows.to(self._number), self._weight)
            return found.reshape(count, -1).to(self._dtype)
        rows = max(count, 2 * ALIGNMENT + 1)
        padded = torch.zeros((groups, rows, self._weight.shape[1]), dtype=torch.int8, device=windows.device)
        padded[:, :count, :entries] = windows.transpose(0, 1)
        products = [torch._int_mm(each, weight) for each, weight in zip(padded, self._weight, strict=True)]
        parts = [each[:count, : self._outputs].to(self._dtype) * self._scale for each in products]
        return parts[0] if groups == 1 else torch.cat(parts, 1)


@cache
def integer_products_work(device: torch.device) -> bool:
    """Return whether a device multiplies matrices of 8-bit integers, rightly; tried on one that fills its numbers."""
    first = torch.full((24, 64), 127, dtype=torch.int8, device=device)
    second = torch.full((64, 16), -128, dtype=torch.int8, device=device)
    try:
        found = torch._int_mm(first, second)
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(found, torch.full_like(found, -127 * 128 * 64))
