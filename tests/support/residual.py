"""A small residual network."""

from __future__ import annotations

import torch
from torch import nn

from support.networks import randomize


class Residual(nn.Module):
    """Blocks with identity and 1x1 shortcuts, a concatenation and maximum pooling; (batch, 2, 8, 8) to 5 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three, self.four = nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, padding=1)
        self.short = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.pool = nn.MaxPool2d(2)
        self.end = nn.Linear(12 * 2 * 2, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.two(torch.relu(self.one(x))) + x)
        y = torch.relu(self.three(x))
        x = torch.relu(self.four(y) + self.short(x))
        return self.end(self.pool(torch.cat((x, y), 1)).flatten(1))


def residual(seed: int = 3) -> nn.Module:
    """One with random weights."""
    return randomize(Residual(), seed).eval()
