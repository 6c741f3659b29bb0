"""What a layer reads from one of its sources, on all calibration data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from snnc.compiler.calibration.spike_store import SpikeStore
from snnc.compiler.ir.ops import FloatArray, as_tensor
from snnc.compiler.program import InputCoding


@dataclass(frozen=True, eq=False)
class Received:
    """What a source sends, beside what the ANN would.

    Attributes:
        activations: The ANN's, (samples, *shape), float32; of the input its levels.
        spikes: What the spiking network sends; None for the input.
        threshold: What a spike of each channel stands for, (channels,); of the input the levels of a unit.
        coding: How levels become input; None for a layer.
        timesteps: T.
    """

    activations: torch.Tensor
    spikes: SpikeStore | None
    threshold: FloatArray
    coding: InputCoding | None = None
    timesteps: int = 1

    @classmethod
    def of_input(cls, levels: torch.Tensor, coding: InputCoding, timesteps: int) -> Received:
        """The input of the network, levels (samples, *shape)."""
        unit = np.full(levels.shape[1], float(coding.levels_per_unit))
        return cls(levels, None, unit, coding, timesteps)

    def sent(self, samples: slice) -> torch.Tensor:
        """What arrives, in units of the activations, (T or 1, samples, *shape)."""
        if self.coding is not None:
            if self.coding.constant:
                return self.activations[samples][None]
            levels = self.activations[samples].to(torch.uint8).numpy()
            payloads = torch.from_numpy(self.coding.spikes(levels, self.timesteps)).transpose(0, 1)
            return payloads.to(torch.float32) * self.coding.levels_per_unit
        assert self.spikes is not None
        spikes = self.spikes.get(samples)
        return spikes * as_tensor(self.threshold, spikes).reshape(-1, *(1,) * (spikes.dim() - 3))

    def spike_rates(self, samples: slice) -> torch.Tensor:
        """Spikes for each step, (samples, *shape); of the input its levels."""
        if self.spikes is None:
            return self.activations[samples]
        return self.spikes.get(samples).mean(0, dtype=torch.float64).float()

    def rates(self, samples: slice) -> torch.Tensor:
        """The mean of what arrives over the steps, (samples, *shape)."""
        return self._rates[samples]

    @cached_property
    def _rates(self) -> torch.Tensor:
        """Of all samples: corrections ask for them again and again, and unpacking T steps takes long."""
        rates = torch.empty_like(self.activations)
        for sample in range(len(rates)):
            one = slice(sample, sample + 1)
            rates[one] = self.sent(one).mean(0, dtype=torch.float64)
        return rates
