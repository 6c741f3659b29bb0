"""Compiles networks to files whose bytes are compared with those that other environments write.

python tests/support/compile_networks.py FOLDER [--threads N] [--batch N] [--cases digits lenet ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import snnc
from snnc.compiler.conversion import profile as profile_activations

DATA = Path(__file__).parents[1] / "data"
ALL = ("weights", "spread", "bias")


def digits(**options: Any) -> snnc.Program:
    """A network with a batch norm, groups and average pooling."""
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
    # The stream of RandomState is fixed for ever; initial weights of PyTorch are not.
    random = np.random.RandomState(0)
    for parameter in network.parameters():
        spread = 1 / np.sqrt(max(1, parameter[0].numel()))
        parameter.data = torch.as_tensor(random.uniform(-spread, spread, parameter.shape), dtype=torch.float32)
    return snnc.compile(network, snnc.load_data("digits", split="train"), mean=0.3, std=0.4, **options)


def lenet(**options: Any) -> snnc.Program:
    """A trained network with maximum pooling, on MNIST."""
    return snnc.compile(DATA / "lenet.pt", np.load(DATA / "mnist.npz")["x_train"], **options)


def resnet20(checkpoint: Path, images: Path, **options: Any) -> snnc.Program:
    """A pretrained residual network, on CIFAR-10."""
    return snnc.compile(
        checkpoint,
        str(images),
        arch="resnet20",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        **options,
    )


CASES: dict[str, Callable[[], snnc.Program]] = {
    "digits": lambda: digits(calibration_samples=100),
    "digits-corrected": lambda: digits(
        calibration_samples=200, timesteps=4, lead=2, calibrate=(*ALL, "thresholds", "potentials")
    ),
    "lenet": lambda: lenet(calibration_samples=64),
    "lenet-corrected": lambda: lenet(calibration_samples=128, timesteps=4, lead=2, calibrate=ALL),
    "lenet-per-layer": lambda: lenet(calibration_samples=64, timesteps=16, per_channel=False),
}


def main() -> None:
    """Compiles what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--batch", type=int, help="samples that are profiled at once, of which little memory allows fewer"
    )
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--resnet20", nargs=2, type=Path, metavar=("CHECKPOINT", "IMAGES"))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.batch:
        profile_activations.BATCH = given.batch
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.cases:
        CASES[name]().save(given.folder / f"{name}.net")
    if given.resnet20:
        checkpoint, images = given.resnet20
        for name, calibrate in (("resnet20", ()), ("resnet20-corrected", ALL)):
            program = resnet20(checkpoint, images, calibration_samples=64, calibrate=calibrate)
            program.save(given.folder / f"{name}.net")


if __name__ == "__main__":
    main()
