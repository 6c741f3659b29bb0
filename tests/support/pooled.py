"""A small network with maximum pooling, and images for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def coarse_images(samples: int, seed: int = 0) -> np.ndarray:
    """Levels whose neighbours are alike, (samples, 2, 8, 8)."""
    rng = np.random.default_rng(seed)
    coarse = torch.as_tensor(rng.integers(0, 256, (samples, 2, 3, 3)), dtype=torch.float32)
    return nn.functional.interpolate(coarse, size=8, mode="bilinear").numpy().astype(np.uint8)


def pooled_network() -> nn.Sequential:
    """Two convolutions, maximum pooling and two linear layers, with random weights."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 12), nn.ReLU(), nn.Linear(12, 4),
    ).eval()  # fmt: skip
    for layer in module:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            # As large as in a trained network: activations then keep their size from layer to layer.
            nn.init.kaiming_normal_(layer.weight)
    return module
