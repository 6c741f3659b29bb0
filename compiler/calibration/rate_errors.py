"""How far a layer's rates are from the ANN's activations, as its thresholds and potentials are."""

from __future__ import annotations

import torch

from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import SpikingLayer


def rate_errors(layer: LayerData, op: SpikingLayer, drive: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared errors of each channel's rates, summed over samples and places, (channels,).

    Args:
        layer: The layer and its data.
        op: The layer; its synapses and biases made the drive.
        drive: What arrives at each step, (T or 1, samples, *shape).
        wanted: The ANN's activations, (samples, *shape).
    """
    rates = layer.spikes(op, drive).mean(0, dtype=torch.float64)
    errors: torch.Tensor = ((rates - wanted) ** 2).sum(dim=layer.other_axes)
    return errors
