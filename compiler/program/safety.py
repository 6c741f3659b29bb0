"""Why the membrane potentials of a program stay within the chip's state: by proof, or as far as was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.compiler.program.layer import Layer
from snnc.compiler.program.membrane_bounds import drive_bounds, is_safe
from snnc.compiler.program.program import Program


@dataclass(frozen=True)
class Safety:
    """What is known about one layer.

    Attributes:
        proven: Whether no input whatever can make its membrane potential overflow, or fire while its gate silences it.
        margin: How many times as far as on the calibration data its potential can go before it overflows or the gate
            fails; infinity where it stays at 0, and None where nothing was measured.
        samples: Number of calibration samples behind the margin.
    """

    proven: bool
    margin: float | None
    samples: int


def program_safety(program: Program, limit: int, input_limit: int | None) -> tuple[Safety, ...]:
    """What is known about each layer, proofs computed anew from the weights: a file's word is not taken for them.

    Args:
        program: The program.
        limit: First magnitude that a membrane of the chip must not reach, in weight units.
        input_limit: First magnitude that a neuron's input of one step must not reach; None: there is none.
    """
    found = []
    for index, layer in enumerate(program.layers):
        lowest, highest = drive_bounds(layer.shape, layer.synapses, program.sources(index))
        drive = int((lowest + layer.bias).min()), int((highest + layer.bias).max())
        lead = program.lead_of(index)
        proven = is_safe(layer, drive, program.timesteps, limit, lead, input_limit)
        found.append(Safety(proven, measured_margin(layer, limit, lead), layer.membrane.samples))
    return tuple(found)


def measured_margin(layer: Layer, limit: int, lead: int) -> float | None:
    """See :attr:`Safety.margin`; below 1 only where the potentials measured are out of range themselves.

    Args:
        layer: The layer.
        limit: First magnitude that a membrane must not reach, in weight units.
        lead: Steps before it may fire.
    """
    if layer.membrane.measured is None:
        return None
    low, high = layer.membrane.measured
    margin = _smallest_share((limit, high), (limit, -low))
    if layer.gate is None:
        return margin
    # In the blank step the bias still comes, unless there is a lead. What the gate meets there is at most as far from
    # 0 as what was measured in the window, and the compiler saw it silence the calibration data.
    bias = (0, 0) if lead else (int(layer.bias.min()), int(layer.bias.max()))
    silenced = layer.firing_level + layer.gate.value - bias[1]
    return min(margin, max(1.0, _smallest_share((silenced, high), (limit - layer.gate.value + bias[0], -low))))


def _smallest_share(*rooms: tuple[int, int]) -> float:
    """The smallest ratio of what there is room for to what was reached."""
    return min((room / reached for room, reached in rooms if reached > 0), default=math.inf)
