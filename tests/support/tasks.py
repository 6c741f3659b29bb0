"""Small trained networks for tasks that are not plain classes, and data in the forms that users have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Arrays = tuple[NDArray[Any], NDArray[Any]]


def fitted(network: nn.Module, inputs: NDArray[Any], wanted: NDArray[Any], loss: nn.Module, epochs: int) -> nn.Module:
    """Train on all samples at once, by Adam, and return the network in evaluation mode."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    values, answers = torch.as_tensor(inputs), torch.as_tensor(wanted)
    network.train()
    for _ in range(epochs):
        optimizer.zero_grad()
        loss(network(values), answers).backward()
        optimizer.step()
    return network.eval()


def one_logit() -> tuple[nn.Module, Arrays]:
    """Two clouds of points, told apart by the sign of one output."""
    rng, _ = np.random.default_rng(0), torch.manual_seed(0)
    y = rng.integers(0, 2, 400)
    x = (rng.normal(0, 1, (400, 12)) + np.where(y[:, None] == 1, 0.8, -0.8)).astype(np.float32)
    network = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1))
    fitted(network, x, y.astype(np.float32)[:, None], nn.BCEWithLogitsLoss(), 60)
    return network, (x, y.astype(np.int64))


def regression() -> tuple[nn.Module, Arrays]:
    """A smooth function of a few numbers, with noise."""
    rng, _ = np.random.default_rng(1), torch.manual_seed(1)
    x = rng.normal(0, 1, (400, 6)).astype(np.float32)
    y = (x[:, 0] + np.abs(x[:, 1]) + 0.1 * rng.normal(0, 1, 400)).astype(np.float32)
    network = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1))
    return fitted(network, x, y[:, None], nn.MSELoss(), 150), (x, y)


def event_counts() -> tuple[nn.Module, Arrays]:
    """Events counted into frames, 0 to 10, by a network that was trained on the counts as they are."""
    rng, _ = np.random.default_rng(0), torch.manual_seed(0)
    y = rng.integers(0, 4, 400)
    rates = np.full((400, 1, 8, 8), 0.3)
    for quarter in range(4):
        row, column = 4 * (quarter // 2), 4 * (quarter % 2)
        rates[y == quarter, :, row : row + 4, column : column + 4] += 3
    x = np.minimum(rng.poisson(rates), 10).astype(np.uint8)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    return fitted(network, x.astype(np.float32), y, nn.CrossEntropyLoss(), 40), (x, y.astype(np.int64))


def normalised(mean: float = 0.5, std: float = 0.1) -> tuple[nn.Module, Arrays]:
    """Digits, and a network with batch normalisation that was trained on ``(x - mean) / std``."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    content = load_digits()
    x, y = (content.images / 16).astype(np.float32)[:600, None], content.target[:600].astype(np.int64)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
    )
    network[1].momentum = 0.5
    return fitted(network, ((x - mean) / std).astype(np.float32), y, nn.CrossEntropyLoss(), 30), (x, y)
