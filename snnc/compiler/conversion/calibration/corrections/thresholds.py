"""Thresholds, chosen for what a layer really receives."""

from __future__ import annotations

from dataclasses import replace

import torch

from snnc.common.digits import rounded
from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.conversion.calibration.layer_data import LayerData, rate_errors
from snnc.compiler.ir import Readout, SpikingLayer

# Thresholds that are tried, as shares of the present one.
SHARES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6)


@correction("thresholds", order=20)
def correct_thresholds(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Take for each channel the threshold whose spikes come nearest to the ANN's activations.

    The paper solves for thresholds under the assumption that a neuron receives the ANN's activation at every step, and
    leaves aside what the layers before have done to it (section 4.1.1). Here the neurons are given what they receive,
    spikes of corrected layers, step by step; the initial potential keeps its share of the threshold.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far.

    Returns:
        With other thresholds and initial potentials; a readout as it is.
    """
    if isinstance(op, Readout):
        return op
    assert op.threshold is not None and op.initial_potential is not None
    errors = torch.zeros(len(SHARES), layer.node.shape[0], dtype=torch.float64)
    for samples in layer.batches(layer.few):
        drive, wanted = layer.drive(op, samples), layer.ann_activation(samples)
        for index, share in enumerate(SHARES):
            tried = replace(op, threshold=op.threshold * share, initial_potential=op.initial_potential * share)
            errors[index] += rate_errors(layer, tried, drive, wanted)
    best = torch.tensor(SHARES, dtype=torch.float64)[errors.argmin(0)].numpy()
    threshold = rounded(op.threshold * best)
    return replace(op, threshold=threshold, initial_potential=op.initial_potential * (threshold / op.threshold))
