"""What our networks are made of: the choice of activation and pooling, and chains of layers from a list of widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from snnc.common.errors import OptionError
from snnc.common.option_kinds import ACTIVATION_NAMES, POOLING_NAMES
from snnc.models.activations import QCFS, ClippedReLU

__all__ = [
    "ACTIVATIONS",
    "POOLINGS",
    "Activation",
    "ActivationMaker",
    "Pooling",
    "Step",
    "activation_maker",
    "chain_features",
    "chain_head",
    "classifier",
    "pooling_maker",
]

ActivationMaker = Callable[[], nn.Module]

# A name, or a callable without arguments that makes a new activation for every place it stands in.
Activation = Literal["relu", "clipped", "qcfs"] | ActivationMaker
Pooling = Literal["max", "average"]

_ACTIVATION_KINDS: tuple[ActivationMaker, ...] = (nn.ReLU, ClippedReLU, QCFS)
ACTIVATIONS: dict[str, ActivationMaker] = dict(zip(ACTIVATION_NAMES, _ACTIVATION_KINDS, strict=True))
_POOLING_KINDS: tuple[type[nn.MaxPool2d] | type[nn.AvgPool2d], ...] = (nn.MaxPool2d, nn.AvgPool2d)
POOLINGS = dict(zip(POOLING_NAMES, _POOLING_KINDS, strict=True))


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
    """Build the last layer of a network.

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


# The number of channels of a 3 x 3 convolution, or a pooling by 2.
Step = int | Literal["pool"]

_IMAGE_CHANNELS = 3


def chain_features(
    steps: Sequence[Step], *, batch_norm: bool, bias: bool, activation: ActivationMaker, pooling: Pooling
) -> list[nn.Module]:
    """Build the convolutions and poolings of a network; the size of an image changes in poolings only.

    Weights are drawn as He et al. do ("Delving deep into rectifiers", ICCV 2015, section 2.2), so that values neither
    vanish nor explode on their way through many layers without normalisation.

    Args:
        steps: What comes one after the other.
        batch_norm: Normalise after each convolution.
        bias: Give each convolution a bias, which is of no use where normalisation with its own bias follows.
        activation: Makes the activation after each convolution.
        pooling: ``max`` or ``average``.

    Returns:
        The layers.

    Raises:
        OptionError: There is no such pooling.
    """
    pool = pooling_maker(pooling)
    layers: list[nn.Module] = []
    channels = _IMAGE_CHANNELS
    for step in steps:
        if step == "pool":
            layers.append(pool(2))
            continue
        convolution = nn.Conv2d(channels, step, kernel_size=3, padding=1, bias=bias)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        layers.append(convolution)
        if batch_norm:
            layers.append(nn.BatchNorm2d(step))
        layers.append(activation())
        channels = step
    return layers


def chain_head(
    features: int, hidden: Sequence[int], num_classes: int, *, activation: ActivationMaker
) -> list[nn.Module]:
    """Build the linear layers of a network, with dropout of 1/2 after each but the last.

    Args:
        features: Number of inputs, at least 1.
        hidden: Widths of the layers before the last.
        num_classes: Number of outputs, at least 1.
        activation: Makes the activation after each layer but the last.

    Returns:
        The layers.

    Raises:
        OptionError: ``num_classes`` is out of range.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(features, width), activation(), nn.Dropout(0.5)]
        features = width
    return [*layers, classifier(features, num_classes)]
