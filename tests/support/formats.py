"""Networks to write in every format, and the comparison of what a reader makes of them.

In a folder of its own, which pyproject.toml puts on the path: tests cannot import one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from snnc.models import lenet, resnet20
from support.networks import randomize
from support.tracing import output_of

Shape = tuple[int, ...]


class Branches(nn.Module):
    """Two paths that are concatenated, and a third that is added."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(2, 3, 3, padding=1)
        self.right = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU(inplace=True))
        self.over = nn.Conv2d(2, 5, 1)
        self.up = nn.ConvTranspose2d(5, 4, 3, stride=2, padding=1, output_padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.cat([torch.relu(self.left(x)), self.right(x)], dim=1)
        both = torch.relu(both + self.over(x))
        return self.fc(torch.relu(self.up(both)).mean((2, 3)))


def small_vgg() -> nn.Sequential:
    """Batch normalisation, maximum pooling, dropout, two linear layers."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 8),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(8, 5),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "lenet": (lenet, (1, 28, 28)),
    "vgg": (small_vgg, (3, 16, 16)),
    "resnet20": (resnet20, (3, 32, 32)),
    "branches": (Branches, (2, 6, 6)),
}


@dataclass(frozen=True)
class Network:
    """A network with random weights, in evaluation mode.

    Attributes:
        module: The network.
        shape: Of one sample.
    """

    module: nn.Module
    shape: Shape

    def batch(self, samples: int) -> torch.Tensor:
        """Random samples, always the same ones."""
        return torch.randn(samples, *self.shape, generator=torch.Generator().manual_seed(1))


def network(name: str) -> Network:
    """One of ``NETWORKS``."""
    factory, shape = NETWORKS[name]
    torch.manual_seed(0)
    return Network(randomize(factory(), 0).eval(), shape)


def assert_reads(path: Path, written: Network, *, trust: bool = False) -> nn.Module:
    """What is read computes what was written, and so does the graph that is traced of it."""
    read = load_model(path, trust=trust)
    batch = written.batch(3)
    with torch.no_grad():
        expected = written.module(batch)
        assert_close(read(batch), expected)
    assert_close(output_of(trace(read, written.shape), batch.double()).float(), expected)
    return read


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to 1e-5 of the largest value."""
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
