"""The parts of residual networks that torch.nn lacks: a block of two convolutions, and a shortcut without weights."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.models.parts import ActivationMaker

__all__ = ["PaddedShortcut", "ResidualBlock", "residual_stage"]

Shortcut = Literal["padded", "convolution"]


class PaddedShortcut(nn.Module):
    """Shortcut of option A: every ``stride``-th row and column, and channels of zeros on both sides.

    Source: He, Zhang, Ren, Sun: "Deep residual learning for image recognition", CVPR 2016, section 3.3, option A. The
    paper does not say where the new channels go; half of them come before and half after, as in most CIFAR ResNets
    with published weights.

    Args:
        stride: Distance of the rows and columns kept, at least 1.
        new_channels: Number of channels of zeros, even, at least 0.
    """

    def __init__(self, stride: int, new_channels: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = new_channels

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C + new_channels, ceil(H / stride), ceil(W / stride))``."""
        side = self.new_channels // 2
        return functional.pad(values[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, side, side))

    def extra_repr(self) -> str:
        """Return the stride and channels, for ``print(network)``."""
        return f"stride={self.stride}, new_channels={self.new_channels}"


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation, and a shortcut around them.

    Source: He, Zhang, Ren, Sun: "Deep residual learning for image recognition", CVPR 2016, figure 2 and section 3.3.
    The names of the parts are those of torchvision's ``BasicBlock``, so that state_dicts fit. It differs in having two
    activations instead of one that is used twice, since each may have a threshold of its own.

    Args:
        in_channels: Channels of the input, at least 1.
        out_channels: Channels of the output, at least 1.
        stride: Stride of the first convolution and of the shortcut, at least 1.
        shortcut: Where the shapes of input and output differ: ``padded`` (option A, ``PaddedShortcut``) or
            ``convolution`` (option B: 1 x 1, with batch normalisation). Where they agree it is the identity.
        activation: Makes an activation.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, shortcut: Shortcut, activation: ActivationMaker
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.activation1 = activation()
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            if shortcut == "padded":
                self.downsample = PaddedShortcut(stride, out_channels - in_channels)
            else:
                self.downsample = nn.Sequential(
                    nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                    nn.BatchNorm2d(out_channels),
                )
        self.activation2 = activation()

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, ceil(H / stride), ceil(W / stride))``."""
        inner = self.activation1(self.bn1(self.conv1(values)))
        result: Tensor = self.activation2(torch.add(self.bn2(self.conv2(inner)), self.downsample(values)))
        return result


def residual_stage(
    in_channels: int, out_channels: int, blocks: int, *, stride: int, shortcut: Shortcut, activation: ActivationMaker
) -> nn.Sequential:
    """Build blocks of the same width, one after the other; the first one changes the shape.

    Args:
        in_channels: Channels of the input, at least 1.
        out_channels: Channels of the output, at least 1.
        blocks: Number of blocks, at least 1.
        stride: Stride of the first block, at least 1.
        shortcut: As for ``ResidualBlock``.
        activation: Makes an activation.

    Returns:
        A network from ``(N, in_channels, H, W)`` to ``(N, out_channels, ceil(H / stride), ceil(W / stride))``.
    """
    first = ResidualBlock(in_channels, out_channels, stride=stride, shortcut=shortcut, activation=activation)
    others = [
        ResidualBlock(out_channels, out_channels, stride=1, shortcut=shortcut, activation=activation)
        for _ in range(blocks - 1)
    ]
    return nn.Sequential(first, *others)
