"""The network that is converted."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from snnc.inputs.data import chunks, raw_values
from snnc.models.data import Dataset


def numbers(text: str) -> tuple[float, ...]:
    """Comma-separated numbers, for options."""
    return tuple(map(float, text.split(",")))


def ann_accuracy(module: nn.Module, test: Dataset, mean: tuple[float, ...], std: tuple[float, ...]) -> float:
    """Percentage of right predictions of the ANN."""
    module = module.eval()
    shift, scale = (np.array(each).reshape(-1, 1, 1) for each in (mean, std))
    right = 0
    with torch.no_grad():
        for chunk in chunks(test, 64):
            images = torch.as_tensor(((raw_values(chunk) - shift) / scale).astype(np.float32))
            right += int((module(images).argmax(1).numpy() == chunk.labels).sum())
    return 100 * right / len(test)
