"""Example networks and their training: plain torch, independent of the compiler and the runtime.

Every network is an ``nn.Sequential`` made of ``torch.nn`` classes only, so that a file written with
``torch.save(network, path)`` is read by ``snnc compile`` without ``--trust``; so is one with the activations
``ClippedReLU`` and ``QCFS`` in place of ``nn.ReLU``. A factory draws the initial weights from torch's global
generator: call ``torch.manual_seed`` before it for a repeatable network.
"""

from __future__ import annotations

from snnc.models.activations import QCFS, ClippedReLU
from snnc.models.digits import digits_cnn
from snnc.models.lenet import lenet
from snnc.models.train import accuracy, logits, train
from snnc.models.vgg import vgg16

__all__ = ["QCFS", "ClippedReLU", "accuracy", "digits_cnn", "lenet", "logits", "train", "vgg16"]
