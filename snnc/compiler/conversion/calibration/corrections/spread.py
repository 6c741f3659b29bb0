"""A quarter of the initial potentials comes over the steps, not before the first, which keeps early spikes back."""

from __future__ import annotations

from dataclasses import replace

from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.conversion.calibration.layer_data import LayerData, with_bias
from snnc.compiler.ir import Readout, SpikingLayer

# Share of the initial potential that is there before the first step.
SHARE = 0.75


def parted(potential: FloatArray, timesteps: int) -> tuple[FloatArray, FloatArray]:
    """Return what of initial potentials is there before the first step, and what comes in each of T steps.

    Args:
        potential: Initial potentials of the channels, (channels,).
        timesteps: T.
    """
    return potential * SHARE, potential * ((1 - SHARE) / timesteps)


@correction("spread", order=30, parts=parted, recommended=True)
def spread_potentials(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Leave ``SHARE`` of the initial potentials before the first step; the rest comes with the bias.

    A neuron that starts at half its threshold rounds to the nearest level, but it also fires on the first input that is
    large, and cannot take the spike back when negative input follows. One that starts lower, and gets what is missing
    evenly over the T steps, has the same sum in the end: a constant input makes it fire as often, only later. So early
    spikes, which are the doubtful ones, become fewer, at no cost.

    The share is the same for all layers. Where each layer takes the share whose rates come nearest to the ANN's
    activations, most start at 0 and the network is worse for it: rates do not show that the spikes now come late, for
    which the later layers pay (docs/results.md).

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
    assert op.initial_potential is not None
    start, each_step = parted(op.initial_potential, layer.timesteps)
    return with_bias(replace(op, initial_potential=start), each_step)
