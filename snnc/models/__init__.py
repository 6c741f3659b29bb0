"""Example networks and their training: plain torch, independent of the compiler and the runtime.

Every network is an ``nn.Sequential`` of ``torch.nn`` classes and those of this package, so that a file written with
``torch.save(network, path)`` is read by ``snnc compile`` without ``--trust``. A factory draws the initial weights from
torch's global generator: call ``torch.manual_seed`` before it for a repeatable network.

Names are imported when they are first used, since torch takes seconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnc.models.activations import QCFS, ClippedReLU
    from snnc.models.convnets import alexnet, cifarnet, digits_cnn, lenet
    from snnc.models.residual import PaddedShortcut, ResidualBlock
    from snnc.models.resnet import resnet18, resnet19, resnet20, resnet34, resnet34_imagenet
    from snnc.models.training.evaluation import accuracy, logits
    from snnc.models.training.small import train
    from snnc.models.vgg import vgg16, vgg16_imagenet

__all__ = [
    "QCFS",
    "ClippedReLU",
    "PaddedShortcut",
    "ResidualBlock",
    "accuracy",
    "alexnet",
    "cifarnet",
    "digits_cnn",
    "lenet",
    "logits",
    "resnet18",
    "resnet19",
    "resnet20",
    "resnet34",
    "resnet34_imagenet",
    "train",
    "vgg16",
    "vgg16_imagenet",
]

_HOMES = {
    "activations": ("QCFS", "ClippedReLU"),
    "convnets": ("alexnet", "cifarnet", "digits_cnn", "lenet"),
    "residual": ("PaddedShortcut", "ResidualBlock"),
    "resnet": ("resnet18", "resnet19", "resnet20", "resnet34", "resnet34_imagenet"),
    "training.evaluation": ("accuracy", "logits"),
    "training.small": ("train",),
    "vgg": ("vgg16", "vgg16_imagenet"),
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used (PEP 562)."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names, imported or not."""
    return sorted({*globals(), *__all__})
