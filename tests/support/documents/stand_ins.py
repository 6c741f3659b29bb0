"""The files that pages take for granted: the reader's network, and what was compiled from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import snnc
from snnc.models import digits_cnn, train
from snnc.models.data import load_data

ROOT = Path(__file__).resolve().parents[3]


def make_stand_ins(folder: Path) -> None:
    """Writes ``model.pt`` and ``digits.pt``, a network trained on digits, with their .net files.

    ``benchmarks`` is a link to that folder of the repository, since readers are thought to be in a clone.
    """
    data = load_data("digits", split="train")
    images = torch.as_tensor(data.images * np.float32(data.unit))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = digits_cnn()
    train(network, images, torch.as_tensor(data.labels), epochs=5, learning_rate=3e-3, threads=1)
    program = snnc.compile(network, data, threshold="data-driven", calibration_samples=128)
    for name in ("model", "digits"):
        torch.save(network, folder / f"{name}.pt")
        program.save(folder / f"{name}.net")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
