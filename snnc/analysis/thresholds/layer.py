"""One layer's thresholds and what they do to its activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.staircase import rate
from snnc.common.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class LayerThresholds:
    """A layer's thresholds, potentials and error, with some of its activations to look at.

    Attributes:
        name: The layer's name in the network.
        modules: Qualified names of the PyTorch modules that went into it.
        timesteps: T.
        threshold: Vth of each channel, (channels,), > 0, in units of the activations.
        potential: v0 of each channel, (channels,), 0..Vth.
        values: A sample of the positive activations, (drawn,), ascending in units of their channel's threshold; of
            all where there are few.
        channels: The channel of each of them, (drawn,).
        positive: Number of positive activations.
        total: Number of all activations.
        largest: The largest activation; 0 where none is positive.
        mean: Mean of the positive activations; 0 where there are none.
        error: Mean of |activation - rate| over all positive activations, each neuron being given its activation at
            every step; with ``objective`` 2 the root of its mean square. In units of the activations.
        norm: The same of the positive activations themselves: their mean, or the root of their mean square; 0 where
            there are none.
        objective: m, 1 or 2: which error the thresholds were chosen for.
    """

    name: str
    modules: tuple[str, ...]
    timesteps: int
    threshold: FloatArray
    potential: FloatArray
    values: FloatArray
    channels: NDArray[np.intp]
    positive: int
    total: int
    largest: float
    mean: float
    error: float
    norm: float
    objective: int = 1

    @property
    def relative_error(self) -> float:
        """The error as a share of ``norm``; 0 where there are no positive activations."""
        return self.error / self.norm if self.norm else 0.0

    @property
    def uniform(self) -> bool:
        """Whether all channels have one threshold."""
        return bool((self.threshold == self.threshold[0]).all() and (self.potential == self.potential[0]).all())

    @property
    def shares(self) -> FloatArray:
        """The drawn activations in thresholds of their channels, (drawn,), ascending."""
        return np.asarray(self.values / self.threshold[self.channels])

    @property
    def rates(self) -> FloatArray:
        """What the neurons make of the drawn activations, (drawn,), in units of the activations."""
        return rate(self.values, self.threshold[self.channels], self.potential[self.channels], self.timesteps)

    def relative_errors(self, factors: FloatArray) -> FloatArray:
        """Return the error with other thresholds, as a share of ``norm``, both estimated from the drawn activations.

        Args:
            factors: By what to multiply every threshold and potential, (candidates,), > 0.

        Returns:
            (candidates,).
        """
        threshold, potential = self.threshold[self.channels], self.potential[self.channels]
        errors = [
            self._mean(self.values - rate(self.values, factor * threshold, factor * potential, self.timesteps))
            for factor in factors
        ]
        return np.asarray(errors, np.float64) / self._mean(self.values)

    def _mean(self, values: FloatArray) -> float:
        """Return the m-th root of the mean of |value| ** m."""
        return float((np.abs(values) ** self.objective).mean() ** (1 / self.objective))
