"""Residual networks, and a program that one is compiled to."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import snnc
from snnc.models import resnet20
from snnc.models.data import Dataset
from snnc.program import Program
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


def resnet20_and_noise() -> tuple[nn.Module, Dataset]:
    """ResNet20 with random weights, and 24 images of noise with labels."""
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (24, 3, 32, 32)).astype(np.uint8)
    return resnet20(), Dataset("noise", images, np.arange(24) % 10, 1 / 255)


def program_with_lead(module: nn.Module, data: Dataset) -> Program:
    """What it is compiled to for T = 4 with lead 2."""
    return snnc.compile(module, data, timesteps=4, lead=2, threshold="percentile", calibration_samples=24)
