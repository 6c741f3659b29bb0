"""The input as Lava's processes receive it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.runtime.lava.population import image_order
from snnc.runtime.lava.schedule import Schedule

GRADED_BITS = 8


def message_bits(program: Program) -> int:
    """Bits of the numbers that the input sends; 0 where it sends spikes."""
    return GRADED_BITS if program.coding.kind == "graded" else 0


def input_shape(program: Program) -> tuple[int, ...]:
    """Axes of the input as the first block of the chain wants them: those of an image turned around, else one axis."""
    shape = program.coding.shape
    is_image = bool(program.chain) and program.layers[program.chain[0]].synapses[0].kind == "conv"
    return shape[::-1] if is_image else (int(np.prod(shape)),)


def input_order(program: Program) -> NDArray[np.int64]:
    """For each value, as Lava counts them, its index in a sample that is flattened channel first."""
    shape = program.coding.shape
    return image_order(shape) if len(input_shape(program)) > 1 else np.arange(int(np.prod(shape)))


def input_events(program: Program, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a sample sends in each of its T steps, (samples, T, values), in Lava's order.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
    """
    events = program.coding.spikes(levels, program.timesteps).reshape(len(levels), program.timesteps, -1)
    return events[..., input_order(program)]


def input_stream(program: Program, levels: NDArray[np.uint8], schedule: Schedule) -> NDArray[np.int32]:
    """All samples, each followed by the steps in which none is sent, (*input_shape, steps).

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        schedule: The schedule.
    """
    events = input_events(program, levels)
    padded = np.zeros((schedule.samples, schedule.interval, events.shape[-1]), np.int32)
    padded[:, : schedule.timesteps] = events
    steps = padded.reshape(-1, events.shape[-1])
    return np.ascontiguousarray(steps.T).reshape(*input_shape(program), len(steps))
