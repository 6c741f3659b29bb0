"""The networks that are measured: an ANN, data, and the programs that it compiles to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import snnc
from snnc.models import cifarnet, digits_cnn, resnet18, resnet20, vgg16
from snnc.program import Program

FACTORIES = {
    "digits_cnn": digits_cnn,
    "cifarnet": cifarnet,
    "resnet20": resnet20,
    "resnet18": resnet18,
    "vgg16": vgg16,
}
CALIBRATION = 64
SEED = 0


@dataclass(eq=False)
class Network:
    """A network and its data; weights and images are random, since neither decides how long dense arithmetic takes.

    Attributes:
        name: One of FACTORIES.
        module: The ANN, in evaluation mode.
        images: uint8, (CALIBRATION, *shape).
    """

    name: str
    module: nn.Module
    images: NDArray[np.uint8]
    _programs: dict[int, Program] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str) -> Network:
        """The network of a name, the same one every time."""
        torch.manual_seed(SEED)
        module = FACTORIES[name]()
        shape = (1, 8, 8) if name == "digits_cnn" else (3, 32, 32)
        images = np.random.default_rng(SEED).integers(0, 256, (CALIBRATION, *shape)).astype(np.uint8)
        _settle(module, cls.as_input(images))
        return cls(name, module.eval(), images)

    @staticmethod
    def as_input(images: NDArray[np.uint8]) -> torch.Tensor:
        """Images as the ANN takes them."""
        return torch.as_tensor(images / np.float32(255))

    def batch(self, size: int) -> NDArray[np.uint8]:
        """So many images, again and again the same ones where there are fewer."""
        return self.images[np.arange(size) % len(self.images)]

    def program(self, timesteps: int) -> Program:
        """What it compiles to."""
        if timesteps not in self._programs:
            self._programs[timesteps] = snnc.compile(self.module, self.images, timesteps=timesteps)
        return self._programs[timesteps]


def _settle(module: nn.Module, images: torch.Tensor) -> None:
    """Gives batch normalisations the statistics of the data, without which random weights let activations vanish."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the plain mean of all batches
    with torch.no_grad():
        module.train()(images)
