"""What the neurons of a synapse read."""

from __future__ import annotations

import torch
from torch.nn import functional

from snnc.compiler.ir.ops import Conv2d, Linear


def windows(synapse: Conv2d | Linear, values: torch.Tensor) -> torch.Tensor:
    """The inputs of every position, padded zeros included.

    Args:
        synapse: The operation.
        values: What it reads, (samples, *source shape).

    Returns:
        (samples, channels x kernel, positions), channels first, then rows and columns of the kernel, as the weights
        of a convolution count; a linear operation has one position.
    """
    if isinstance(synapse, Linear):
        return values.flatten(1)[..., None]
    unfolded: torch.Tensor = functional.unfold(
        values,
        synapse.weight.shape[2:],
        dilation=synapse.dilation,
        padding=synapse.padding,
        stride=synapse.stride,
    )
    return unfolded
