"""Potential correction: what a channel's rates miss on average is given to its neurons before the first step."""

from __future__ import annotations

from dataclasses import replace

import torch

from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import Readout, SpikingLayer

ROUNDS = 4


def correct_potentials(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Moves each channel's initial potential by what its rates miss, T times over, within 0 and the threshold.

    Source: Li, Deng, Dong, Gong, Gu, *A Free Lunch From ANN*, ICML 2021 (potential correction), here for each channel,
    not for each neuron: a population has one initial potential on the chip, and what differs between its channels
    becomes part of their bias.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far.

    Returns:
        With other initial potentials; a readout as it is.
    """
    if isinstance(op, Readout):
        return op
    axes = (0, *range(2, len(layer.node.shape) + 1))
    batches = list(layer.batches(layer.few))
    drives = [layer.drive(op, samples) for samples in batches]
    wanted = [layer.ann_activation(samples) for samples in batches]
    positions = sum(each[:, 0].numel() for each in wanted)
    for _ in range(ROUNDS):
        assert op.threshold is not None and op.initial_potential is not None
        missing = torch.zeros(layer.node.shape[0], dtype=torch.float64)
        for drive, activation in zip(drives, wanted, strict=True):
            missing += (activation - layer.spikes(op, drive).mean(0)).sum(dim=axes).double()
        moved = op.initial_potential + (layer.timesteps * missing / positions).numpy()
        op = replace(op, initial_potential=moved.clip(0, op.threshold))
    return op
