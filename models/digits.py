"""A small network for the 8 x 8 digits that scikit-learn embeds: the network of the demo."""

from __future__ import annotations

from torch import nn

from snnc.models.choices import Activation, Pooling, activation_maker, classifier, pooling_maker


def digits_cnn(
    num_classes: int = 10, in_channels: int = 1, *, activation: Activation = "relu", pooling: Pooling = "average"
) -> nn.Sequential:
    """Builds a small convolutional network for images of 8 x 8 pixels.

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
