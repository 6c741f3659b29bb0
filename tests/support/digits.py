"""The embedded digits as tensors and files, and networks trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from snnc.cli import main
from snnc.models import digits_cnn, train
from snnc.models.data import load_data


def digits(samples: int | None = None, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Images, float32 in 0..1, and labels; the first so many, or all."""
    data = load_data("digits", split=split)
    data = data if samples is None else data.take(samples)
    return torch.as_tensor(data.images * np.float32(data.unit)), torch.as_tensor(data.labels)


def trained_on_digits(network: nn.Module | None = None, *, epochs: int, samples: int | None = None) -> nn.Module:
    """A network, `digits_cnn` of seed 0 unless one is given, trained on the first so many digits or all."""
    if network is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = digits_cnn()
    train(network, *digits(samples), epochs=epochs, learning_rate=3e-3, threads=1)
    return network


def save_digits(path: Path, samples: int, test_samples: int) -> Path:
    """A file of the first digits, to train on and, fewer of the same, to test with."""
    data = load_data("digits", split="train").take(samples)
    np.savez(
        path,
        x_train=data.images, y_train=data.labels,
        x_test=data.images[:test_samples], y_test=data.labels[:test_samples],
    )  # fmt: skip
    return path


class Folder:
    """A network trained on digits, ``digits.pt``, and what ``snnc compile`` made of it, ``digits.net``.

    Args:
        path: The folder.
        options: More for the command.
        epochs: How long to train.
    """

    def __init__(self, path: Path, *options: object, epochs: int = 8) -> None:
        self.path, self.model, self.net = path, path / "digits.pt", path / "digits.net"
        torch.save(trained_on_digits(epochs=epochs), self.model)
        arguments = ("compile", self.model, "--calib", "digits", "-o", self.net, "-q", *options)
        assert main([str(each) for each in arguments]) == 0
