"""The drives of a layer on a few samples, held while its corrections look at them again and again."""

from __future__ import annotations

import torch

from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import SpikingLayer
from snnc.compiler.ir.ops import FloatArray


class HeldDrives:
    """What a layer receives at each step on a few samples, and what the ANN makes of them.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far; what it receives is weighted by its synapses.
    """

    def __init__(self, layer: LayerData, op: SpikingLayer) -> None:
        self._layer = layer
        batches = list(layer.batches(layer.few))
        self._drives = [layer.drive(op, samples) for samples in batches]
        self._wanted = [layer.ann_activation(samples) for samples in batches]

    def missing(self, op: SpikingLayer) -> FloatArray:
        """What each channel's rate misses of the ANN's activation on average, (channels,).

        Args:
            op: The layer with other thresholds or potentials, its synapses as they were.
        """
        total = torch.zeros(self._layer.node.shape[0], dtype=torch.float64)
        for drive, activation in zip(self._drives, self._wanted, strict=True):
            rates = self._layer.spikes(op, drive).mean(0, dtype=torch.float64)
            total += (activation - rates).sum(dim=self._layer.other_axes)
        mean: FloatArray = (total / sum(each[:, 0].numel() for each in self._wanted)).numpy()
        return mean

    def shift(self, bias: FloatArray) -> None:
        """Adds to the drive of each channel, (channels,)."""
        for drive in self._drives:
            drive += self._layer.per_channel(bias, drive)
