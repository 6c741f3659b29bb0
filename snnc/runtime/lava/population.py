"""Neurons and the input as Lava has them: their ports, and the order in which it counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.common.arrays import Number
from snnc.program import Program
from snnc.runtime.lava.schedule import Schedule

# lava-nc has no type information.
Process = Any


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons, or the input, as processes on Lava see them.

    Attributes:
        process: The LIF process, or the source of the input.
        shape: Axes of its ports: (width, height, channels) where netx built it for an image, else one axis.
        order: For each neuron, as Lava counts them, its index in the layer, which is flattened channel first.
    """

    process: Process
    shape: tuple[int, ...]
    order: NDArray[np.int64]

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.order)

    def flat_spikes(self) -> Process:
        """Return the port that sends the spikes, with one axis."""
        port = self.process.s_out
        return port if len(self.shape) == 1 else port.reshape((self.neurons,))

    def receive(self, port: Process) -> None:
        """Connect a port of one axis to the neurons' input."""
        (port if len(self.shape) == 1 else port.reshape(self.shape)).connect(self.process.a_in)

    def arrange(self, values: NDArray[Number]) -> NDArray[Number]:
        """Return values for each neuron of a layer, in its shape, in Lava's order, (neurons,)."""
        return values.ravel()[self.order]

    def restore(self, values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
        """Return the inverse of :meth:`arrange` for the last axes of ``values``, which are Lava's.

        Args:
            values: What Lava gave.
            shape: The layer's shape.
        """
        leading = values.shape[: values.ndim - len(self.shape)]
        flat = values.reshape(*leading, self.neurons)
        restored = np.empty_like(flat)
        restored[..., self.order] = flat
        return restored.reshape(*leading, *shape)


def image_order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the order of a layer whose axes Lava has turned around: (width, height, channels).

    Args:
        shape: Shape of the layer; with one axis nothing changes.
    """
    return np.arange(math.prod(shape)).reshape(shape).transpose().ravel()


def lava_order(values: NDArray[Number]) -> NDArray[Number]:
    """Return a layer's values with its axes as Lava has them, (width, height, channels); a view.

    Args:
        values: (channels, height, width) or (features,).
    """
    return values.transpose()


def from_lava_order(values: NDArray[Number], shape: tuple[int, ...], leading: int = 0) -> NDArray[Number]:
    """Return values of a layer in Lava's order in the layer's own shape.

    Args:
        values: (..., *shape[::-1]), or the same with a layer's axes joined.
        shape: The layer's shape.
        leading: Number of axes before those of the layer.

    Returns:
        (..., *shape).
    """
    turned = values.reshape(*values.shape[:leading], *shape[::-1])
    return turned.transpose(*range(leading), *reversed(range(leading, turned.ndim)))


def arranged_matrix(matrix: csr_matrix, target: Population, source: Population) -> csr_matrix:
    """Return the weights between two layers in the order in which Lava has their neurons.

    Args:
        matrix: (neurons of the target, neurons of the source), both flattened channel first.
        target: The neurons that receive.
        source: The neurons that send.
    """
    arranged = matrix
    if len(target.shape) > 1:
        arranged = arranged[target.order, :]
    if len(source.shape) > 1:
        arranged = arranged[:, source.order]
    return csr_matrix(arranged)


GRADED_BITS = 8


def message_bits(program: Program) -> int:
    """Return the number of bits of what the input sends; 0 where it sends spikes."""
    return GRADED_BITS if program.coding.kind == "graded" else 0


def input_shape(program: Program) -> tuple[int, ...]:
    """Return the axes of the input as the first block of the chain wants them: an image's turned around, else one."""
    shape = program.coding.shape
    is_image = bool(program.chain) and program.layers[program.chain[0]].synapses[0].kind == "conv"
    return shape[::-1] if is_image else (int(np.prod(shape)),)


def input_order(program: Program) -> NDArray[np.int64]:
    """Return for each value, as Lava counts them, its index in a sample that is flattened channel first."""
    shape = program.coding.shape
    return image_order(shape) if len(input_shape(program)) > 1 else np.arange(int(np.prod(shape)))


def input_events(program: Program, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a sample sends in each of its T steps, (samples, T, values), in Lava's order.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
    """
    events = program.coding.spikes(levels, program.timesteps).reshape(len(levels), program.timesteps, -1)
    return events[..., input_order(program)]


def input_stream(program: Program, levels: NDArray[np.uint8], schedule: Schedule) -> NDArray[np.int32]:
    """Return all samples, each followed by the steps in which none is sent, (*input_shape, steps).

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
