"""Example networks and their training: plain torch, independent of the compiler and the runtime.

Every network is an ``nn.Sequential`` of ``torch.nn`` classes and those of this package, so that a file written with
``torch.save(network, path)`` is read by ``snnc compile`` without ``--trust``. A factory draws the initial weights from
torch's global generator: call ``torch.manual_seed`` before it for a repeatable network.
"""

from __future__ import annotations

from snnc.models.activations import QCFS, ClippedReLU
from snnc.models.convnets import alexnet, cifarnet, digits_cnn, lenet
from snnc.models.residual import PaddedShortcut, ResidualBlock
from snnc.models.resnet import resnet18, resnet19, resnet20, resnet34, resnet34_imagenet
from snnc.models.training import accuracy, logits, train
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
