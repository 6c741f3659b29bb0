"""The spikes of a layer on all calibration data, a bit each."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.ir import Shape


class SpikeStore:
    """Spikes of a population, packed: eight of them to a byte.

    Args:
        samples: Number of samples.
        timesteps: T.
        shape: Shape of the population.
    """

    def __init__(self, samples: int, timesteps: int, shape: Shape) -> None:
        self._shape = shape
        self._neurons = math.prod(shape)
        self._bits: NDArray[np.uint8] = np.zeros((samples, timesteps, -(-self._neurons // 8)), np.uint8)

    def put(self, samples: slice, spikes: torch.Tensor) -> None:
        """Keeps the spikes of some samples.

        Args:
            samples: Which.
            spikes: (T, samples, *shape); anything but 0 is a spike.
        """
        fired = (spikes != 0).flatten(2).transpose(0, 1).numpy()
        self._bits[samples] = np.packbits(fired, axis=2)

    def get(self, samples: slice) -> torch.Tensor:
        """The spikes of some samples, 0 or 1, (T, samples, *shape), float32."""
        fired = np.unpackbits(self._bits[samples], axis=2, count=self._neurons)
        found = torch.from_numpy(fired).to(torch.float32).transpose(0, 1)
        return found.reshape(found.shape[0], found.shape[1], *self._shape)
