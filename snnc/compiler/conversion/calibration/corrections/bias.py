"""What a channel's rates miss on average is added to its bias."""

from __future__ import annotations

import numpy as np
import torch

from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.conversion.calibration.layer_data import HeldDrives, LayerData, with_rounded_bias
from snnc.compiler.ir import Readout, SpikingLayer

# A shift of the drive moves the rates of the neurons that fire only, so that once does not suffice.
ROUNDS = 4


@correction("bias", order=50, recommended=True)
def correct_bias(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Add to each channel's bias the mean difference between the ANN's activation and the rate of the spikes.

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
