"""CIFARNet and AlexNet for 32 x 32 images, as the literature on directly trained spiking networks uses them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from snnc.models.chain import Step, chain_features, chain_head
from snnc.models.choices import Activation, Pooling, activation_maker

__all__ = ["alexnet", "cifarnet"]

_CIFARNET: tuple[Step, ...] = (128, 256, "pool", 512, "pool", 1024, 512)
_ALEXNET: tuple[Step, ...] = (96, 256, "pool", 384, "pool", 384, 256)

# Two poolings by 2 leave so many places of a 32 x 32 image.
_PLACES = 8 * 8


def cifarnet(num_classes: int = 10, *, activation: Activation = "relu", pooling: Pooling = "average") -> nn.Sequential:
    """Builds CIFARNet for images of 3 x 32 x 32.

    Source: Wu, Deng, Li, Zhu, Xie, Shi: "Direct training for spiking neural networks: faster, larger, better", AAAI
    2019, table of network structures: 128C3-256C3-AP2-512C3-AP2-1024C3-512C3-1024FC-512FC. It differs in being an ANN,
    in the batch normalisation behind each convolution in place of their neuron normalisation, and in a linear last
    layer in place of voting groups of neurons.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average``, the original's, or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    return _build(_CIFARNET, 512, (1024, 512), num_classes, activation, pooling)


def alexnet(num_classes: int = 10, *, activation: Activation = "relu", pooling: Pooling = "average") -> nn.Sequential:
    """Builds AlexNet for images of 3 x 32 x 32.

    Source: Wu et al., as for ``cifarnet``, there compared with other work on AlexNet:
    96C3-256C3-AP2-384C3-AP2-384C3-256C3-1024FC-1024FC. It differs from the source as ``cifarnet`` does; from the
    network of Krizhevsky, Sutskever and Hinton (NIPS 2012), whose numbers of channels it has, in 3 x 3 kernels of
    stride 1 everywhere, average pooling, narrower linear layers and no local response normalisation.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average``, as Wu et al., or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    return _build(_ALEXNET, 256, (1024, 1024), num_classes, activation, pooling)


def _build(
    steps: Sequence[Step],
    channels: int,
    hidden: Sequence[int],
    num_classes: int,
    activation: Activation,
    pooling: Pooling,
) -> nn.Sequential:
    make = activation_maker(activation)
    features = chain_features(steps, batch_norm=True, bias=False, activation=make, pooling=pooling)
    head = chain_head(channels * _PLACES, hidden, num_classes, activation=make)
    return nn.Sequential(*features, nn.Flatten(), *head)
