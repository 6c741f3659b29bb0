"""Initial potentials that are handed out over the steps instead of before the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.compiler.calibration.correct_bias import with_bias
from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.calibration.rate_errors import rate_errors
from snnc.compiler.ir import Readout, SpikingLayer

# Shares of the initial potential that are tried at the first step; the rest comes with the bias.
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)


def spread_potentials(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Takes the share of the initial potentials whose rates come nearest to the ANN's activations; the rest is bias.

    A neuron that starts at half its threshold rounds to the nearest level, but it also fires on the first input that is
    large, and cannot take the spike back when negative input follows. One that starts lower, and gets what is missing
    evenly over the T steps, has the same sum in the end: a constant input makes it fire as often, only later. So early
    spikes, which are the doubtful ones, become fewer, at no cost. One share for each layer, since a population has one
    initial potential on the chip.

    Source: our own. The paper's initial potential (Bojkovic et al., Theorem 4.3) is derived for constant input, of
    which it remains the best; Hwang et al., *Low-Latency Spiking Neural Networks Using Pre-Charged Membrane Potential
    and Delayed Evaluation*, Frontiers in Neuroscience 2021, charge and wait where this holds back.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far.

    Returns:
        With other initial potentials and biases; a readout as it is.
    """
    if isinstance(op, Readout):
        return op
    errors = np.zeros(len(SHARES))
    for samples in layer.batches(layer.few):
        drive, wanted = layer.drive(op, samples), layer.ann_activation(samples)
        for index, share in enumerate(SHARES):
            errors[index] += float(rate_errors(layer, op, drive, wanted, share).sum())
    assert op.initial_potential is not None
    start = op.initial_potential * SHARES[int(errors.argmin())]
    return with_bias(replace(op, initial_potential=start), (op.initial_potential - start) / layer.timesteps)
