"""What a run of a netx file gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.program.netx import NetxNetwork


@dataclass(frozen=True, eq=False)
class NetxResult:
    """Spikes and membrane potentials of a run.

    Steps are those of each block's own time: the t-th belongs to the t-th input, Lava's step t plus the latency.

    Attributes:
        counts: Spikes of each output neuron in each sample, (samples, *shape of the last block), int64.
        potentials: v of the output neurons after the last step of each sample, of the same shape, int32; in Lava's
            unit, of which a weight unit has 64.
        spike_counts: For each block the spikes of each neuron, summed over samples and steps, int64, of its shape.
        input_counts: Steps in which a value other than 0 arrived, summed likewise; None where the input is biases.
        wraps: For each block how often a current u wrapped around at 24 bits; None where the backend cannot see it.
        clips: For each block how often a membrane potential v was kept within 24 bits; None likewise.
        spikes: Spike trains of the blocks that were asked for, by index: (samples, T, *shape), bool.
    """

    counts: NDArray[np.int64]
    potentials: NDArray[np.int32]
    spike_counts: tuple[NDArray[np.int64], ...]
    input_counts: NDArray[np.int64] | None
    wraps: tuple[int, ...] | None
    clips: tuple[int, ...] | None
    spikes: Mapping[int, NDArray[np.bool_]]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.counts)

    def scores(self, network: NetxNetwork) -> NDArray[np.int64]:
        """Return a number for each class, (samples, classes): spikes or, of neurons that are read, potentials.

        Args:
            network: The network that ran; an ``average`` at its end adds up the neurons of each class.
        """
        each = self.potentials if network.blocks[-1].neurons.is_readout else self.counts
        grouped = each.reshape(self.samples, network.outputs or -1, -1 if network.outputs else 1)
        scores: NDArray[np.int64] = grouped.sum(axis=2, dtype=np.int64)
        return scores

    def predictions(self, network: NetxNetwork) -> NDArray[np.int64]:
        """Return the class of each sample: the one with the largest score, the first of equal ones."""
        classes: NDArray[np.int64] = self.scores(network).argmax(axis=1).astype(np.int64)
        return classes
