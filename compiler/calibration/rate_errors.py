"""How far a layer's rates are from the ANN's activations, with other thresholds and potentials."""

from __future__ import annotations

from dataclasses import replace

import torch

from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import SpikingLayer


def rate_errors(
    layer: LayerData, op: SpikingLayer, drive: torch.Tensor, wanted: torch.Tensor, share: float = 1.0
) -> torch.Tensor:
    """Squared errors of each channel's rates, summed over samples and places, (channels,).

    Args:
        layer: The layer and its data.
        op: The layer; its synapses and biases made the drive.
        drive: What arrives at each step, (T or 1, samples, *shape).
        wanted: The ANN's activations, (samples, *shape).
        share: Of the initial potential that is there before the first step, 0..1; the rest comes evenly over the steps.
    """
    assert op.initial_potential is not None
    start = op.initial_potential * share
    if share != 1:
        drive = drive + layer.per_channel((op.initial_potential - start) / layer.timesteps, drive)
    rates = layer.spikes(replace(op, initial_potential=start), drive).mean(0)
    errors: torch.Tensor = ((rates - wanted) ** 2).sum(dim=layer.other_axes).double()
    return errors
