"""Convolutional networks without branches: one for digits, LeNet-5, and CIFARNet and AlexNet for 32 x 32 images.

The last two are as the literature on directly trained spiking networks uses them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from snnc.models.parts import (
    Activation,
    Pooling,
    Step,
    activation_maker,
    chain_features,
    chain_head,
    classifier,
    pooling_maker,
)

__all__ = ["alexnet", "cifarnet", "digits_cnn", "lenet"]


def digits_cnn(
    num_classes: int = 10, in_channels: int = 1, *, activation: Activation = "relu", pooling: Pooling = "average"
) -> nn.Sequential:
    """Build a small convolutional network for images of 8 x 8 pixels.

    It holds one of everything that the compiler has to fold away (batch normalisation, dropout, average pooling), so
    that the demo exercises each on its way to the chip.

    Args:
        num_classes: Number of outputs, at least 1.
        in_channels: Number of channels of the input image, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average`` or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, in_channels, 8, 8)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make, pool = activation_maker(activation), pooling_maker(pooling)
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        make(),
        pool(2),
        nn.Conv2d(16, 32, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        make(),
        pool(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 2 * 2, 64),
        make(),
        classifier(64, num_classes),
    )


def lenet(
    num_classes: int = 10, in_channels: int = 1, *, activation: Activation = "relu", pooling: Pooling = "average"
) -> nn.Sequential:
    """Build LeNet-5 for images of 28 x 28 pixels.

    Source: LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", Proceedings of
    the IEEE 86(11), 1998, figure 2. The sizes of all layers are those of the original. It differs in what a
    conversion to spiking neurons needs and what has become usual since:

    - ReLU (or what is chosen) instead of the scaled tanh;
    - plain average (or maximum) pooling, without the original's trainable gain, bias and non-linearity per channel;
    - the second convolution sees every channel of the first one (the original leaves connections out);
    - a linear last layer trained with cross entropy instead of radial basis functions;
    - the original's border of 2 pixels around the 28 x 28 image is the first convolution's zero padding.

    Args:
        num_classes: Number of outputs, at least 1.
        in_channels: Number of channels of the input image, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average`` or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, in_channels, 28, 28)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make, pool = activation_maker(activation), pooling_maker(pooling)
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),
        make(),
        pool(2),
        nn.Conv2d(6, 16, kernel_size=5),
        make(),
        pool(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        make(),
        nn.Linear(120, 84),
        make(),
        classifier(84, num_classes),
    )


_CIFARNET: tuple[Step, ...] = (128, 256, "pool", 512, "pool", 1024, 512)
_ALEXNET: tuple[Step, ...] = (96, 256, "pool", 384, "pool", 384, 256)

# Two poolings by 2 leave so many places of a 32 x 32 image.
_PLACES = 8 * 8


def cifarnet(num_classes: int = 10, *, activation: Activation = "relu", pooling: Pooling = "average") -> nn.Sequential:
    """Build CIFARNet for images of 3 x 32 x 32.

    Source: Wu, Deng, Li, Zhu, Xie, Shi: "Direct training for spiking neural networks: faster, larger, better", AAAI
    2019, table of network structures: 128C3-256C3-AP2-512C3-AP2-1024C3-512C3-1024FC-512FC. It differs in being an ANN,
    in the batch normalisation after each convolution in place of their neuron normalisation, and in a linear last
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
    """Build AlexNet for images of 3 x 32 x 32.

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
