"""How many weight units a layer's threshold gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snnc.common.arrays import FloatArray
from snnc.common.errors import TargetError
from snnc.compiler.ir import Sparse
from snnc.compiler.quantization.normalized import NormalizedLayer, as_synapse, has_netx_form
from snnc.program import Scaled
from snnc.program.bounds import Window, drive_bounds, highest_silenced, largest_step, lowest_silenced, window
from snnc.program.targets import Target

# Rounding of weights, bias and gate, kept free when the scale is chosen before it is known.
SLACK = 1024
# A proof that costs at most half a bit of the weights is worth it.
PROOF_WORTH = math.sqrt(2)
# How many times the calibration data's range a membrane holds where its range is not proven.
USUAL_MARGIN = 2.0
# Weight units: no scale is smaller.
LEAST_ROOM = 1e-6


def largest_threshold(target: Target) -> int:
    """Return the largest threshold, in weight units, that a chip can compare with and a synapse can subtract."""
    # A neuron fires above the number that is stored, which is one less.
    return min(Scaled.largest(target).value, target.threshold_maximum + 1)


@dataclass(frozen=True)
class Scale:
    """The choice.

    Attributes:
        units: Weight units per threshold, before it is rounded to a mantissa and an exponent.
        window: Range of the membrane potential that it rests on, in thresholds.
        proven: Whether no input can leave that range; else it is the calibration data's with a margin.
        usual: What it would be if the calibration data's range with the usual margin had to do; as many units where
            that is no more.
    """

    units: float
    window: Window
    proven: bool
    usual: float


def choose_scale(
    layer: NormalizedLayer,
    target: Target,
    timesteps: int,
    margin: float,
    lead: int = 0,
    least_units: float = 1.0,
) -> Scale:
    """Return the largest scale at which weights, bias and membrane fit the chip.

    1. Weights and bias limit it alone where the membrane then stays within the chip's range for any input, or would
       at a scale that is smaller by half a bit at most: the range is proven.
    2. Else the calibration data's range counts, ``margin`` times as wide on both sides and one threshold wider, since
       spikes come unevenly; where that allows no more than the proven range, the proven one.

    Args:
        layer: The layer.
        target: The chip.
        timesteps: T.
        margin: See 2; infinity: only proven ranges are used.
        lead: Steps before the layer may fire; a readout has none.
        least_units: Weight units that a threshold has to keep where its range is proven, if weights and bias leave it
            as many.

    Raises:
        TargetError: All weights are zero, or the membrane does not fit at any scale that is fine enough.
    """
    fitting = _fitting(layer, target)
    lead = lead if layer.spiking else 0
    proven_room, proven_window = _room(layer, target, timesteps, lead, *_interval(layer))
    if fitting <= proven_room * PROOF_WORTH:
        return Scale(min(fitting, proven_room), proven_window, proven=True, usual=fitting)
    wide = margin if math.isfinite(margin) else USUAL_MARGIN
    low, high = min(0.0, layer.measured[0]) * wide - 1, max(0.0, layer.measured[1]) * wide + 1
    measured_room, measured_window = _room(layer, target, timesteps, lead, low, high)
    usual = min(fitting, max(proven_room, measured_room))
    if math.isfinite(margin) and measured_room > proven_room:
        return Scale(usual, measured_window, proven=False, usual=usual)
    needed = max(1.0, min(least_units, fitting))
    if proven_room < needed:
        raise _unproven(layer, target, timesteps, lead, needed, proven_room)
    return Scale(proven_room, proven_window, proven=True, usual=usual)


def channel_needs(
    layer: NormalizedLayer, target: Target, timesteps: int, lead: int, lows: FloatArray, highs: FloatArray
) -> FloatArray:
    """Return what each channel alone would let a threshold have, as 1 / weight units, (channels,).

    Args:
        layer: The layer; it fires.
        target: The chip.
        timesteps: T.
        lead: Steps before it may fire.
        lows: Smallest input of each channel that membranes have to hold, in thresholds, (channels,).
        highs: The largest, likewise.
    """
    channels = layer.shape[0]
    needs = np.zeros(channels)
    for synapse, weight in zip(layer.synapses, layer.weights, strict=True):
        largest = 0 if synapse is layer.synapses[0] and has_netx_form(synapse) else target.weight_exponent_maximum
        if isinstance(synapse, Sparse):
            rows = np.repeat(np.arange(math.prod(layer.shape)), np.diff(synapse.matrix.indptr))
            high, low = np.zeros(math.prod(layer.shape)), np.zeros(math.prod(layer.shape))
            np.maximum.at(high, rows, weight)
            np.minimum.at(low, rows, weight)
            high, low = high.reshape(channels, -1).max(1), low.reshape(channels, -1).min(1)
        else:
            flat = weight.reshape(channels, -1)
            high, low = flat.max(1), flat.min(1)
        needs = np.maximum(needs, np.maximum(high / target.weight_maximum, low / target.weight_minimum) / 2**largest)
    needs = np.maximum(needs, np.abs(layer.bias.reshape(channels, -1)).max(1) / target.bias_maximum)
    rooms = [
        _room(layer, target, timesteps, lead, min(0.0, low) - 1, max(0.0, high) + 1)[0]
        for low, high in zip(lows.tolist(), highs.tolist(), strict=True)
    ]
    # Where nothing fits, the layer is refused elsewhere.
    needed: FloatArray = np.maximum(needs, 1 / np.array(rooms).clip(LEAST_ROOM))
    return np.maximum(needed, 1 / largest_threshold(target))


def _unproven(
    layer: NormalizedLayer, target: Target, timesteps: int, lead: int, needed: float, room: float
) -> TargetError:
    """Return the error for a layer whose threshold needs more weight units than the proven range leaves room for."""
    interval = _interval(layer)
    # Fewer steps have fewer levels to tell apart.
    fewer = (
        steps
        for steps in range(timesteps - 1, 0, -1)
        if _room(layer, target, steps, min(lead, steps), *interval)[0] >= max(1.0, needed * steps / timesteps)
    )
    advice = "make thresholds larger (--per-layer, --threshold max)"
    if enough := next(fewer, 0):
        advice = f"choose T = {enough} or less, or {advice}"
    units = f" with {math.ceil(needed):,} weight units for a threshold" if layer.spiking else ""
    return TargetError(
        "no scale is proven to keep the membrane potential within the chip's state",
        where=layer.where,
        expected=f"less than {target.membrane_limit:,} weight units for any input",
        found=f"a bound of {math.ceil(target.membrane_limit * needed / room):,}{units}",
        advice=advice,
    )


def _fitting(layer: NormalizedLayer, target: Target) -> float:
    """Return the largest scale at which weights, bias and threshold can be stored."""
    limits = [float(largest_threshold(target)) if layer.spiking else math.inf]
    for synapse, weight in zip(layer.synapses, layer.weights, strict=True):
        # What netx loads has no exponent.
        largest = 0 if synapse is layer.synapses[0] and has_netx_form(synapse) else target.weight_exponent_maximum
        if weight.max(initial=0) > 0:
            limits.append(2**largest * target.weight_maximum / float(weight.max()))
        if weight.min(initial=0) < 0:
            limits.append(2**largest * target.weight_minimum / float(weight.min()))
    if layer.bias.any():
        limits.append(target.bias_maximum / float(np.abs(layer.bias).max()))
    if not math.isfinite(min(limits)):
        raise TargetError("all weights are zero", where=layer.where, advice="remove the layer")
    return min(limits)


def _interval(layer: NormalizedLayer) -> tuple[float, float]:
    """Return the range of a step's input over all inputs, in thresholds."""
    # Scaled up to integers that float64 sums exactly, so that one function serves both.
    grain = 2.0**20
    whole = tuple(
        as_synapse(synapse, np.rint(weight * grain).astype(np.int64), 0)
        for synapse, weight in zip(layer.synapses, layer.weights, strict=True)
    )
    low, high = drive_bounds(layer.shape, whole, layer.sources)
    return float((low / grain + layer.bias).min()), float((high / grain + layer.bias).max())


def _room(
    layer: NormalizedLayer, target: Target, timesteps: int, lead: int, low: float, high: float
) -> tuple[float, Window]:
    """Return the largest scale at which a membrane with inputs in [low, high] fits, and its range in thresholds."""
    bias_low, bias_high = float(layer.bias.min()), float(layer.bias.max())
    if layer.spiking:
        bounds = window(low, high, 1.0, 1 - layer.start, timesteps, lead)
        gate = max(0.0, highest_silenced(bounds, max(0.0, bias_high), lead) - (1 - layer.start))
    else:
        bounds = window(low, high, math.inf, math.inf, timesteps)
        gate = 0.0
    span = max(-lowest_silenced(bounds, min(0.0, bias_low), lead) + gate, bounds.high)
    limits = [(target.membrane_limit - SLACK) / max(span, 1e-30)]
    if target.input_limit is not None:
        step = largest_step((low, high), 1.0, gate, (bias_low, bias_high), lead)
        limits.append((target.input_limit - SLACK) / step)
    return min(limits), bounds
