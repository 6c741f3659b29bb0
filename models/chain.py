"""Convolutional networks without branches, put together from a list of widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from snnc.models.choices import ActivationMaker, Pooling, classifier, pooling_maker

__all__ = ["Step", "chain_features", "chain_head"]

# The number of channels of a 3 x 3 convolution, or a pooling by 2.
Step = int | Literal["pool"]

_IMAGE_CHANNELS = 3


def chain_features(
    steps: Sequence[Step], *, batch_norm: bool, bias: bool, activation: ActivationMaker, pooling: Pooling
) -> list[nn.Module]:
    """Builds the convolutions and poolings of a network; the size of an image changes in poolings only.

    Weights are drawn as He et al. do ("Delving deep into rectifiers", ICCV 2015, section 2.2), so that values neither
    vanish nor explode on their way through many layers without normalisation.

    Args:
        steps: What comes one behind the other.
        batch_norm: Normalise behind each convolution.
        bias: Give each convolution a bias, which is of no use where normalisation with its own bias follows.
        activation: Makes the activation behind each convolution.
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
    """Builds the linear layers of a network, with dropout of 1/2 behind each but the last.

    Args:
        features: Number of inputs, at least 1.
        hidden: Widths of the layers before the last.
        num_classes: Number of outputs, at least 1.
        activation: Makes the activation behind each layer but the last.

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
