"""Operations on windows of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.nn import functional

from snnc.compiler.ir.ops import Conv2d, Linear, Operation, Shape
from snnc.program.connections import window_output


def windows(synapse: Conv2d | Linear, values: torch.Tensor) -> torch.Tensor:
    """Return the inputs of every position, padded zeros included.

    Args:
        synapse: The operation.
        values: What it reads, (samples, *source shape).

    Returns:
        (samples, channels x kernel, positions), channels first, then rows and columns of the kernel, as the weights
        of a convolution count; a linear operation has one position.
    """
    if isinstance(synapse, Linear):
        return values.flatten(1)[..., None]
    unfolded: torch.Tensor = functional.unfold(
        values,
        synapse.weight.shape[2:],
        dilation=synapse.dilation,
        padding=synapse.padding,
        stride=synapse.stride,
    )
    return unfolded


@dataclass(frozen=True, eq=False)
class Pooling(Operation):
    """Base of what slides a window over an image, each channel by itself.

    Attributes:
        kernel, stride, padding: (vertical, horizontal).
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return (channels, height, width)."""
        (shape,) = inputs
        if len(shape) != 3:
            raise ValueError(f"expected shape (channels, height, width), found {shape}")
        height, width = (
            window_output(shape[axis + 1], *options)
            for axis, options in enumerate(zip(self.kernel, self.stride, self.padding, strict=True))
        )
        return (shape[0], height, width)


@dataclass(frozen=True, eq=False)
class AvgPool2d(Pooling):
    """Average pooling; padded zeros count, as ``nn.AvgPool2d`` does by default."""

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return window means."""
        return F.avg_pool2d(inputs[0], self.kernel, self.stride, self.padding)


@dataclass(frozen=True, eq=False)
class MaxPool2d(Pooling):
    """Maximum pooling; padding is never the maximum, as ``nn.MaxPool2d`` has it."""

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return window maxima."""
        return F.max_pool2d(inputs[0], self.kernel, self.stride, self.padding)


@dataclass(frozen=True, eq=False)
class SpikeMax2d(Pooling):
    """Maximum pooling of spikes: a memoryless population, each neuron of which fires when any spike of its window does.

    In the ANN the maximum of activations; its rate is at least that of the fastest neuron in the window, and more where
    spikes of several neurons do not coincide.
    It has the thresholds of the layer that it reads, since a spike of it stands for what a spike of that stands for.
    """

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return window maxima: of activations in the ANN, of the spikes of one step in the spiking network."""
        return F.max_pool2d(inputs[0], self.kernel, self.stride, self.padding)


@dataclass(frozen=True, eq=False)
class Relay(Operation):
    """A memoryless population that repeats each spike that it receives.

    Attributes:
        hold: Steps that its synapse holds a spike back before, >= 0.
    """

    hold: int = 0

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the input."""
        return inputs[0]

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the input itself."""
        return inputs[0]
