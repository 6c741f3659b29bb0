"""What a channel's rates miss on average is given to its neurons before the first step."""

from __future__ import annotations

from dataclasses import replace

from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.conversion.calibration.layer_data import HeldDrives, LayerData
from snnc.compiler.ir import Readout, SpikingLayer

ROUNDS = 4


@correction("potentials", order=40)
def correct_potentials(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Move each channel's initial potential by what its rates miss, T times over, within 0 and the threshold.

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
    held = HeldDrives(layer, op)
    for _ in range(ROUNDS):
        assert op.threshold is not None and op.initial_potential is not None
        moved = op.initial_potential + layer.timesteps * held.missing(op)
        op = replace(op, initial_potential=moved.clip(0, op.threshold))
    return op
