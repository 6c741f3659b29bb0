"""What a builder of a network lets its caller choose: the activation and the kind of pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

from snnc.errors import OptionError
from snnc.models.activations import QCFS, ClippedReLU

__all__ = [
    "ACTIVATIONS",
    "POOLINGS",
    "Activation",
    "ActivationMaker",
    "Pooling",
    "activation_maker",
    "classifier",
    "pooling_maker",
]

ActivationMaker = Callable[[], nn.Module]

# A name, or a callable without arguments that makes a new activation for every place it stands in.
Activation = Literal["relu", "clipped", "qcfs"] | ActivationMaker
Pooling = Literal["max", "average"]

ACTIVATIONS: dict[str, ActivationMaker] = {"relu": nn.ReLU, "clipped": ClippedReLU, "qcfs": QCFS}
POOLINGS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def activation_maker(activation: Activation) -> ActivationMaker:
    """Find what makes an activation.

    Args:
        activation: ``relu``, ``clipped`` (``ClippedReLU``), ``qcfs`` (``QCFS``), or a callable without arguments.

    Returns:
        A callable that makes a new module each time: activations with a threshold must not be shared.

    Raises:
        OptionError: There is no activation of that name.
    """
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise OptionError(
            "there is no such activation", where="activation", expected=", ".join(ACTIVATIONS), found=repr(activation)
        )
    return ACTIVATIONS[activation]


def pooling_maker(pooling: Pooling) -> type[nn.MaxPool2d] | type[nn.AvgPool2d]:
    """Find the class of a kind of pooling.

    Args:
        pooling: ``max`` or ``average``.

    Returns:
        ``nn.MaxPool2d`` or ``nn.AvgPool2d``.

    Raises:
        OptionError: There is no pooling of that name.
    """
    if pooling not in POOLINGS:
        raise OptionError(
            "there is no such pooling", where="pooling", expected=" or ".join(POOLINGS), found=repr(pooling)
        )
    return POOLINGS[pooling]


def classifier(features: int, num_classes: int) -> nn.Linear:
    """Builds the last layer of a network.

    Args:
        features: Number of inputs, at least 1.
        num_classes: Number of outputs.

    Returns:
        A linear layer.

    Raises:
        OptionError: ``num_classes`` is not a whole number from 1 on.
    """
    if not isinstance(num_classes, int) or num_classes < 1:
        raise OptionError("out of range", where="num_classes", expected="at least 1", found=repr(num_classes))
    return nn.Linear(features, num_classes)
