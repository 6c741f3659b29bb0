"""Sums and concatenations of several values, as modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Concatenation", "Sum"]


class Sum(nn.Module):
    """The sum of several tensors of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Add them up."""
        total, *others = values
        for other in others:
            total = total + other
        return total


class Concatenation(nn.Module):
    """Several tensors, one after the other along the channels."""

    def forward(self, *values: Tensor) -> Tensor:
        """Join them."""
        return torch.cat(values, dim=1)
