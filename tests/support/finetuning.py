"""Spiking networks that are made of an ANN for fine-tuning, and runs of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnc.finetuning.options import FinetuneOptions
from snnc.finetuning.start import spiking_network
from snnc.finetuning.whole_run import FinetuneRun
from snnc.models.spiking import SpikingNetwork
from snnc.models.training.session import Data

ORIGIN = {"arch": "net", "data": "data", "weights": None, "teacher": None}
SETTINGS = FinetuneOptions(epochs=3, batch_size=64, augment=("crop",), calibration_samples=64)
CPU = torch.device("cpu")


class Branching(nn.Module):
    """What the compiler knows, in one network: a functional activation, a residual, a concatenation, both poolings."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.third = nn.Conv2d(8, 6, 1, groups=2)
        self.pool = nn.AvgPool2d(2)
        self.drop = nn.Dropout()
        self.last = nn.Sequential(nn.Linear(24, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 10))

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        y = torch.relu(self.second(x) + x)
        z = self.pool(torch.relu(self.third(torch.cat([x, y], 1))))
        logits: Tensor = self.last(self.drop(z).flatten(1)).softmax(1)
        return logits


def converted(ann: nn.Module, data: Data, settings: FinetuneOptions = SETTINGS) -> SpikingNetwork:
    return spiking_network(ann, data.training.subset(settings.calibration_samples, 0), settings)


def train_on(network: SpikingNetwork, data: Data, options=SETTINGS, *, teacher=None, origin=ORIGIN, **session):
    run = FinetuneRun.of(network, options, data, teacher=teacher, origin=origin)
    return run.train(device=CPU, threads=1, **session)


def trained(ann: nn.Module, data: Data, settings: FinetuneOptions = SETTINGS, **options):
    network = converted(ann, data, settings)
    history = train_on(network, data, settings, **options)
    assert not any(part.training for part in network.modules())
    return network, history


def split(data: Data, settings: FinetuneOptions) -> Data:
    return Data.of(data.training, data.test, held_out=settings.held_out_share, seed=settings.seed)
