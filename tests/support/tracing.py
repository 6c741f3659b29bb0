"""Networks to trace, and the comparison of a graph with the module that it came from.

In a folder of its own, which pyproject.toml puts on the path: tests cannot import one another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, execute
from support.networks import assert_equal_values, randomize, run_double

IMAGE = (2, 4, 4)
# How an error begins that names several places.
SEVERAL = r"(?:\d+ places cannot be compiled: )?"
FEATURES = 32


class Net(nn.Module):
    """conv -> what the test is about -> fc."""

    def __init__(self, middle: Callable[[Net, torch.Tensor], torch.Tensor], features: int = FEATURES, **layers) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.fc = nn.Linear(features, 3)
        self.middle = middle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.middle(self, self.conv(x)))


def output_of(graph: Graph, batch: torch.Tensor) -> torch.Tensor:
    return execute(graph, batch)[graph.output.name]


def check(module: nn.Module, shape: tuple[int, ...] = IMAGE) -> Graph:
    """Traces and compares with the module on random data."""
    randomize(module, 3)
    batch = torch.randn(5, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    graph = trace(module, shape)
    assert_equal_values(output_of(graph, batch), run_double(module, batch), 1e-12)
    return graph


class Block(nn.Module):
    def __init__(self, bad: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), bad or nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)
