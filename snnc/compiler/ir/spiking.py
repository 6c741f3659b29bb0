"""The operations of a network after its ReLUs have become spiking layers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.solver.counting import ChannelValues
from snnc.compiler.conversion.solver.sketch import ActivationSketch
from snnc.compiler.ir.ops import Conv2d, Linear, Operation, ReLU, Shape
from snnc.compiler.ir.pooling import Relay, SpikeMax2d
from snnc.compiler.ir.sparse import Sparse
from snnc.program import Layer


@dataclass(frozen=True, eq=False)
class ActivationProfile:
    """What a layer did on the calibration data, in memory that does not grow with their number.

    Everything in it is a count, a minimum or a maximum, so that profiles of parts of the data merge into that of the
    whole, whatever the parts and their order.

    Attributes:
        activations: The activations of each channel; None for the readout, which has none.
        drive_minimum: Smallest input to the ReLU for each channel, (channels,); infinity where there was none yet.
        drive_maximum: Largest input to the ReLU for each channel, (channels,); -infinity where there was none yet.
    """

    activations: ActivationSketch | None
    drive_minimum: FloatArray
    drive_maximum: FloatArray

    @classmethod
    def empty(cls, channels: int, *, spiking: bool) -> ActivationProfile:
        """Return the profile of a layer that saw nothing yet; a spiking one has a ReLU."""
        sketch = ActivationSketch(channels) if spiking else None
        return cls(sketch, np.full(channels, np.inf), np.full(channels, -np.inf))

    def add(self, drive: torch.Tensor, activations: torch.Tensor | None = None) -> None:
        """Add a batch.

        Args:
            drive: Input to the activation, (batch, channels, ...).
            activations: What the ANN makes of it, of the same shape, >= 0; None: its ReLU.

        Raises:
            OverflowError: The drive is not finite: a sum went beyond the numbers of float32.
        """
        values = ChannelValues(drive, 1)
        minimum, maximum, _ = values.ranges
        if not (np.isfinite(minimum).all() and np.isfinite(maximum).all()):
            raise OverflowError("a sum is not finite")
        np.minimum(self.drive_minimum, minimum, out=self.drive_minimum)
        np.maximum(self.drive_maximum, maximum, out=self.drive_maximum)
        if self.activations is None:
            return
        if activations is None:
            self.activations.add_values(values, rectified=True)
        else:
            self.activations.add(activations, axis=1)

    def merge(self, other: ActivationProfile) -> None:
        """Add what another profile of the same layer saw."""
        np.minimum(self.drive_minimum, other.drive_minimum, out=self.drive_minimum)
        np.maximum(self.drive_maximum, other.drive_maximum, out=self.drive_maximum)
        if self.activations is not None and other.activations is not None:
            self.activations.merge(other.activations)


Weighted = Conv2d | Linear | Sparse
# Populations without memory: they pass spikes on as they come.
Memoryless = SpikeMax2d | Relay


@dataclass(frozen=True, eq=False)
class SpikingLayer(Operation):
    """Linear operations summed into one population of integrate-and-fire neurons; in the ANN, their activation.

    Attributes:
        synapses: A linear operation for each input, the one that reads the deepest layer first; their biases add up.
        profile: What the calibration data made of it, once profiled.
        threshold: Largest representable activation of each channel (channels,), once assigned; > 0.
        initial_potential: Membrane potential at the start (channels,), once assigned; 0 <= v0 <= threshold.
        activation: What the ANN applies to the drive: a ReLU, truncated or in steps where the network was so trained.
    """

    synapses: tuple[Weighted, ...]
    profile: ActivationProfile | None = None
    threshold: FloatArray | None = None
    initial_potential: FloatArray | None = None
    activation: ReLU = field(default_factory=ReLU)

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape that all synapses agree on."""
        return summed_shape(self.synapses, inputs)

    def drive(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the input of the ReLU, (batch, *shape)."""
        return summed(self.synapses, inputs)

    @property
    def is_rectified_only(self) -> bool:
        """Whether the ANN's activation is the positive part of the drive, without bound or stairs."""
        return type(self.activation) is ReLU and self.activation.threshold is None

    def activate(self, drive: torch.Tensor) -> torch.Tensor:
        """Return the ANN's activation for a drive, any shape."""
        return self.activation.apply(drive)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the ANN's activation, (batch, *shape)."""
        return self.activate(self.drive(*inputs))


@dataclass(frozen=True, eq=False)
class Readout(Operation):
    """The last linear operation: neurons that integrate and never fire; in the ANN, the logits."""

    synapses: tuple[Weighted, ...]
    profile: ActivationProfile | None = None

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape that all synapses agree on."""
        return summed_shape(self.synapses, inputs)

    def drive(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, (batch, *shape)."""
        return summed(self.synapses, inputs)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, (batch, *shape)."""
        return self.drive(*inputs)


@dataclass(frozen=True, eq=False)
class QuantizedLayer(Operation):
    """A layer in the chip's integers, beside the float layer it stands for.

    Attributes:
        source: The float layer; ``apply`` is its ANN meaning.
        layer: The integers.
    """

    source: SpikingLayer | Readout | Memoryless
    layer: Layer

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the float layer."""
        return self.source.output_shape(*inputs)

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the float layer's ANN value."""
        return self.source.apply(*inputs)


def summed_shape(synapses: tuple[Weighted, ...], inputs: tuple[Shape, ...]) -> Shape:
    """Return the common output shape of several synapses; ValueError where they differ."""
    shapes = {synapse.output_shape(shape) for synapse, shape in zip(synapses, inputs, strict=True)}
    if len(shapes) != 1:
        raise ValueError(f"expected one shape from all synapses, found {sorted(shapes)}")
    return shapes.pop()


def summed(synapses: tuple[Weighted, ...], inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return the sum of what several synapses compute."""
    total, *others = (synapse.apply(value) for synapse, value in zip(synapses, inputs, strict=True))
    for other in others:
        total = total + other
    return total
