"""The files that pages take for granted: the reader's network, and what was compiled from it."""

from __future__ import annotations

from pathlib import Path

import torch

import snnc
from snnc.models.data import load_data
from support.digits import trained_on_digits

ROOT = Path(__file__).resolve().parents[3]


def make_stand_ins(folder: Path) -> None:
    """Writes ``model.pt`` and ``digits.pt``, a network trained on digits, with their .net files.

    ``benchmarks`` is a link to that folder of the repository, since readers are thought to be in a clone.
    """
    network = trained_on_digits(epochs=5)
    program = snnc.compile(
        network, load_data("digits", split="train"), threshold="data-driven", calibration_samples=128
    )
    for name in ("model", "digits"):
        torch.save(network, folder / f"{name}.pt")
        program.save(folder / f"{name}.net")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
