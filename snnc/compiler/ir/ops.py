"""The operations of a network as the ANN has them, but for those on windows and sparse ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.memory_order import convolution_order
from snnc.common.staircase import spike_counts
from snnc.program.connections import window_output

Shape = tuple[int, ...]


def as_tensor(array: FloatArray, like: torch.Tensor) -> torch.Tensor:
    """Return ``array`` as a tensor of the precision and on the device of ``like``."""
    return torch.as_tensor(array, dtype=like.dtype, device=like.device)


class Operation(ABC):
    """One step of the network.

    ``output_shape`` raises ValueError where the shapes of the inputs do not fit; the graph adds the node's name.
    """

    @property
    def kind(self) -> str:
        """The operation's name as tables and errors show it."""
        return type(self).__name__

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the output without the batch axis, given the shapes of the inputs."""

    @abstractmethod
    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the output for a batch, shape (batch, *output_shape)."""


@dataclass(frozen=True, eq=False)
class Input(Operation):
    """The network's input, shape (channels, height, width) or (features,)."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the declared shape."""
        return self.shape

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the batch itself."""
        return inputs[0]


@dataclass(frozen=True, eq=False)
class SameShape(Operation):
    """Base of the operations that keep the shape of their only input."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the input."""
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Identity(SameShape):
    """Does nothing at inference: ``nn.Identity``, ``nn.Dropout``."""

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the input itself."""
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Output(Identity):
    """The network's output."""


@dataclass(frozen=True, eq=False)
class ReLU(SameShape):
    """``max(x, 0)``: becomes a population of spiking neurons.

    A network may have been trained for the conversion, with an activation that knows the largest value it gives:

    - truncated, ``min(max(x, 0), threshold)`` (Deng and Gu, ICLR 2021);
    - a staircase, ``threshold * clip(floor(steps x / threshold + 1/2) / steps, 0, 1)`` (QCFS: Bu et al., ICLR 2022).

    ``apply`` computes what the ANN computes, so what is profiled and compared are the ANN's own activations. The
    spiking neuron makes its own stairs, of T steps, from the threshold that it is given.

    Attributes:
        threshold: The largest value, > 0; None: unbounded.
        steps: Steps of the staircase, >= 1; None: no staircase. Only with a threshold.
        stands_for: Name of the node whose value it gives back, where it was put after one that cannot be negative, so
            that this spikes by itself; None: it changes values.
    """

    threshold: float | None = None
    steps: int | None = None
    stands_for: str | None = None

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the rectified input, truncated or in steps where the activation is so."""
        (x,) = inputs
        if self.threshold is None:
            return x.relu()
        if self.steps is None:
            return x.clamp(0, self.threshold)
        # In the order of snnc.models.QCFS: values on the edge between two steps then fall to the same side.
        return self.threshold * (torch.floor((x / self.threshold).clamp(0, 1) * self.steps + 0.5) / self.steps)

    def keeps(self, other: ReLU) -> bool:
        """Return whether it gives back unchanged whatever ``other`` puts out."""
        if self.threshold is None:
            return True
        if other.threshold is None or other.threshold > self.threshold:
            return False
        return self.steps is None or (self.threshold, self.steps) == (other.threshold, other.steps)

    def learned(self, channels: int) -> tuple[FloatArray, FloatArray] | None:
        """Return what the network was trained for.

        Args:
            channels: Number of channels that it is applied to.

        Returns:
            Vth and v0 of each channel, v0 being half of Vth; None where the activation carries no threshold.
        """
        if self.threshold is None:
            return None
        threshold = np.full(channels, self.threshold)
        return threshold, threshold / 2


def rates(x: torch.Tensor, threshold: torch.Tensor, potential: torch.Tensor, timesteps: int | None) -> torch.Tensor:
    """Return rates of integrate-and-fire neurons for a constant input; see :class:`IntegrateAndFire`.

    Args:
        x: (batch, channels, ...).
        threshold: Vth, (channels,).
        potential: v0, (channels,).
        timesteps: T; None: without bounds.
    """
    threshold, potential = (per_channel(each, x.dim() - 1) for each in (threshold, potential))
    if timesteps is None:
        return torch.minimum(x.clamp(min=0), threshold)
    # In the order of snnc.models.IntegrateAndFire: values on the edge between two steps fall to the same side.
    return threshold * (spike_counts(x, threshold, potential, timesteps) / timesteps)


@dataclass(frozen=True, eq=False)
class IntegrateAndFire(ReLU):
    """Rates of neurons for a constant input: ``Vth / T * clip(floor((T x + v0) / Vth), 0, T)`` for each channel.

    The activation of a network that was trained as a spiking one. ``threshold`` and ``steps`` of the base class are not
    used: each channel has a threshold of its own.

    Attributes:
        thresholds: Vth of each channel, (channels,), > 0.
        potentials: v0 of each channel, 0 <= v0 <= Vth.
        timesteps: T that they were trained for; None: not known, and the rates are those of T without bounds,
            ``min(max(x, 0), Vth)``.
    """

    thresholds: FloatArray = field(kw_only=True)
    potentials: FloatArray = field(kw_only=True)
    timesteps: int | None = field(kw_only=True)

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the input, whose channels must match."""
        if inputs[0][0] != len(self.thresholds):
            raise ValueError(f"expected {len(self.thresholds)} channels, found shape {inputs[0]}")
        return inputs[0]

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the rates."""
        (x,) = inputs
        return rates(x, as_tensor(self.thresholds, x), as_tensor(self.potentials, x), self.timesteps)

    def keeps(self, other: ReLU) -> bool:
        """Return False: no other activation gives its levels."""
        return False

    def learned(self, channels: int) -> tuple[FloatArray, FloatArray]:
        """Return its own."""
        return self.thresholds, self.potentials


@dataclass(frozen=True, eq=False)
class Softmax(SameShape):
    """Softmax or log-softmax over the classes; keeps the order of the logits."""

    logarithm: bool

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return probabilities, or their logarithms."""
        return inputs[0].log_softmax(1) if self.logarithm else inputs[0].softmax(1)


@dataclass(frozen=True, eq=False)
class Affine(SameShape):
    """``scale * x + shift`` for each channel (the first axis): input normalisation, a batch norm seen alone.

    Attributes:
        scale: (channels,) array.
        shift: (channels,) array.
    """

    scale: FloatArray
    shift: FloatArray

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the input, whose channels must match."""
        if inputs[0][0] != len(self.scale):
            raise ValueError(f"expected {len(self.scale)} channels, found shape {inputs[0]}")
        return inputs[0]

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the scaled and shifted input."""
        (x,) = inputs
        scale, shift = (per_channel(as_tensor(each, x), x.dim() - 1) for each in (self.scale, self.shift))
        return x * scale + shift


@dataclass(frozen=True, eq=False)
class BatchNorm(SameShape):
    """Batch normalisation at inference, over channels or features.

    Attributes:
        mean: Running mean, (channels,).
        variance: Running variance, (channels,).
        weight: Gamma, (channels,).
        bias: Beta, (channels,).
        epsilon: Added to the variance.
    """

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray
    bias: FloatArray
    epsilon: float

    def as_affine(self) -> Affine:
        """Return the same map as scale and shift."""
        scale = self.weight / np.sqrt(self.variance + self.epsilon)
        return Affine(scale, self.bias - self.mean * scale)

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the input, whose channels must match."""
        return self.as_affine().output_shape(*inputs)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the normalised input."""
        return self.as_affine().apply(*inputs)


@dataclass(frozen=True, eq=False)
class Flatten(Operation):
    """(channels, height, width) to (features,), channel first."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return one axis of all values."""
        return (math.prod(inputs[0]),)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the flattened input."""
        return inputs[0].flatten(1)


@dataclass(frozen=True, eq=False)
class Conv2d(Operation):
    """Cross-correlation with zero padding, as ``nn.Conv2d``.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel height, kernel width).
        bias: (out_channels,), or a map (out_channels, height, width) where a fold made the border differ.
        stride, padding, dilation: (vertical, horizontal).
        groups: Number of channel groups.
    """

    weight: FloatArray
    bias: FloatArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return (out_channels, height, width)."""
        (shape,) = inputs
        channels = self.weight.shape[1] * self.groups
        if len(shape) != 3 or shape[0] != channels:
            raise ValueError(f"expected shape ({channels}, height, width), found {shape}")
        height, width = (
            window_output(shape[axis + 1], self.weight.shape[axis + 2], *options)
            for axis, options in enumerate(zip(self.stride, self.padding, self.dilation, strict=True))
        )
        return (self.weight.shape[0], height, width)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the convolved input plus bias."""
        (x,) = inputs
        return self.convolved(x, as_tensor(self.weight, x)) + as_tensor(self.bias_map(), x)

    def convolved(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the input convolved with other weights, without bias.

        Args:
            x: (batch, in_channels, height, width).
            weight: Of the operation's shape, and of the input's type.
        """
        order = convolution_order(tuple(x.shape[2:]), weight.shape[2:], self.padding, self.dilation)
        if order is torch.contiguous_format:
            x = x.contiguous()
        return F.conv2d(x, weight, None, self.stride, self.padding, self.dilation, self.groups)

    def bias_map(self) -> FloatArray:
        """Return the bias with axes (out_channels, height or 1, width or 1)."""
        return per_channel(self.bias, 3) if self.bias.ndim == 1 else self.bias

    @property
    def dense_weight(self) -> FloatArray:
        """The weights with zeros between groups, (out_channels, in_channels, height, width)."""
        outputs, inputs, *window = self.weight.shape
        rows = outputs // self.groups
        dense = np.zeros((outputs, inputs * self.groups, *window), self.weight.dtype)
        for group in range(self.groups):
            own = slice(group * rows, (group + 1) * rows)
            dense[own, group * inputs : (group + 1) * inputs] = self.weight[own]
        return dense


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """``W x + b``, as ``nn.Linear``; an input with several axes is flattened, channel first.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,).
    """

    weight: FloatArray
    bias: FloatArray

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return (out_features,)."""
        (shape,) = inputs
        if math.prod(shape) != self.weight.shape[1]:
            raise ValueError(f"expected {self.weight.shape[1]} features, found shape {shape}")
        return (self.weight.shape[0],)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the product of the flattened input with the weights, plus bias."""
        x = inputs[0].flatten(1)
        return F.linear(x, as_tensor(self.weight, x), as_tensor(self.bias, x))

    def bias_map(self) -> FloatArray:
        """Return the bias with the axes of the output."""
        return self.bias


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """Sum of two or more values of one shape: where a residual network's paths meet."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape that all inputs have."""
        if len(set(inputs)) != 1:
            raise ValueError(f"expected inputs of one shape, found {' and '.join(map(str, inputs))}")
        return inputs[0]

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        total, *others = inputs
        for other in others:
            total = total + other
        return total


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Several values one after the other along the channel axis (the first)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return (sum of the channels, *common rest)."""
        if len({shape[1:] for shape in inputs}) != 1:
            raise ValueError(f"expected inputs that differ in channels only, found {' and '.join(map(str, inputs))}")
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the joined values."""
        return torch.cat(inputs, dim=1)
