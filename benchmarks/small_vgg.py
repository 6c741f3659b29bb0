"""A network for CIFAR-10 that one core trains in minutes: VGG's plan, with six convolutions of 32 to 128 channels."""

from __future__ import annotations

from torch import nn


def network(num_classes: int = 10) -> nn.Sequential:
    """Three times two 3 x 3 convolutions with batch normalisation and ReLU, and average pooling; 0.3 million weights.

    Source: Simonyan, Zisserman: "Very deep convolutional networks for large-scale image recognition", ICLR 2015, made
    small: fewer and narrower stages, one linear layer, batch normalisation.

    Args:
        num_classes: Number of outputs.

    Returns:
        A network from images of shape (N, 3, 32, 32) to logits.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * 16, num_classes))
