"""Bias correction: what a channel's rates miss on average is added to its bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from snnc.common.arrays import FloatArray
from snnc.common.digits import rounded_together
from snnc.compiler.conversion.calibration.layer_data import HeldDrives, LayerData
from snnc.compiler.ir import Readout, SpikingLayer

# A shift of the drive moves the rates of the neurons that fire only, so that once does not suffice.
ROUNDS = 4


def correct_bias(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Adds to each channel's bias the mean difference between the ANN's activation and the rate of the spikes.

    Source: Li, Deng, Dong, Gong, Gu, *A Free Lunch From ANN: Towards Efficient, Accurate Spiking Neural Networks
    Calibration*, ICML 2021, the light pipeline. Here in several rounds, since the neurons that are silent do not answer
    to a first one.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far.

    Returns:
        With other biases.
    """
    if isinstance(op, Readout):
        missing = torch.zeros(layer.node.shape, dtype=torch.float64)
        for samples in layer.batches():
            missing += (layer.ann_drive(samples) - layer.mean_drive(op, samples)).double().sum(0)
        mean = (missing / layer.samples).numpy()
        return with_rounded_bias(op, mean.reshape(len(mean), -1).mean(1))
    held = HeldDrives(layer, op)
    total = np.zeros(layer.node.shape[0])
    for _ in range(ROUNDS):
        shift = held.missing(op)
        held.shift(shift)
        total += shift
    return with_rounded_bias(op, total)


def with_rounded_bias(op: SpikingLayer | Readout, shift: FloatArray) -> SpikingLayer | Readout:
    """As :func:`with_bias`, for a shift whose last bits depend on the order of sums."""
    return with_bias(op, rounded_together(shift[None])[0])


def with_bias(op: SpikingLayer | Readout, shift: FloatArray) -> SpikingLayer | Readout:
    """The layer with ``shift`` (channels,) added to its bias, which its first synapse carries."""
    first, *others = op.synapses
    shaped = shift.reshape(-1, *(1,) * (first.bias.ndim - 1))
    return replace(op, synapses=(replace(first, bias=first.bias + shaped), *others))
