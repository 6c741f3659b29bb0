"""What a layer did on the calibration data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.solver.channel_values import ChannelValues
from snnc.compiler.solver.sketch import ActivationSketch


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
        """The profile of a layer that saw nothing yet; a spiking one has a ReLU."""
        sketch = ActivationSketch(channels) if spiking else None
        return cls(sketch, np.full(channels, np.inf), np.full(channels, -np.inf))

    def add(self, drive: torch.Tensor, activations: torch.Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            drive: Input to the activation, (batch, channels, ...), finite.
            activations: What the ANN makes of it, of the same shape, >= 0; None: its ReLU.
        """
        values = ChannelValues(drive, 1)
        minimum, maximum, _ = values.ranges
        np.minimum(self.drive_minimum, minimum, out=self.drive_minimum)
        np.maximum(self.drive_maximum, maximum, out=self.drive_maximum)
        if self.activations is None:
            return
        if activations is None:
            self.activations.add_values(values, rectified=True)
        else:
            self.activations.add(activations, axis=1)

    def merge(self, other: ActivationProfile) -> None:
        """Adds what another profile of the same layer saw."""
        np.minimum(self.drive_minimum, other.drive_minimum, out=self.drive_minimum)
        np.maximum(self.drive_maximum, other.drive_maximum, out=self.drive_maximum)
        if self.activations is not None and other.activations is not None:
            self.activations.merge(other.activations)
