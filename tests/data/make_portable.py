"""Makes portable.net, a small compiled network, and portable.npz, what it does: tests run it under every Python.

    .venv/bin/python tests/data/make_portable.py

Needed again only when the file format changes on purpose.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

import snnc

HERE = Path(__file__).parent


def main() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).eval()
    data = snnc.load_data("digits", split="train")
    program = snnc.compile(network, data, timesteps=6, mean=0.3, std=0.4, calibration_samples=100)
    program.save(HERE / "portable.net")
    result = snnc.run(program, snnc.load_data("digits", split="test"), samples=50, record=True)
    trains = {f"spikes_{index}": np.packbits(spikes) for index, spikes in enumerate(result.spikes or ())}
    np.savez_compressed(HERE / "portable.npz", readout=result.readout, **trains)


if __name__ == "__main__":
    main()
