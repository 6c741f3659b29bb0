"""One block of a network while samples run through it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnc.common.memory_order import from_memory, in_memory, to_memory
from snnc.program.netx import Block
from snnc.runtime.loihi_neuron import DECAY_UNITY, INPUT_SHIFT, integrate_steps
from snnc.runtime.netx.drive import SynapticDrive


class BlockRun:
    """The state of a block's neurons, for some samples at once.

    Args:
        block: The block.
        drive: Its synapses; None for an input block.
        recurrent: Those from its neurons to themselves; None: none.
        source_shape: Shape of what it reads.
        samples: Number of samples.

    All that it takes and gives lies in memory order (:mod:`snnc.runtime.netx.drive`).

    Attributes:
        wraps: How often a current u wrapped around so far.
        clips: How often a membrane potential v was kept within its limits.
    """

    def __init__(
        self,
        block: Block,
        drive: SynapticDrive | None,
        recurrent: SynapticDrive | None,
        source_shape: tuple[int, ...],
        samples: int,
    ) -> None:
        self._block = block
        self._drive = drive
        self._recurrent = recurrent
        self._samples = samples
        # What the neurons sent themselves in the step before.
        self._returning = np.zeros((1, samples, block.size if recurrent else 0), bool)
        neurons = samples * block.size
        self._current, self._voltage = np.zeros(neurons, np.int32), np.zeros(neurons, np.int32)
        bias = to_memory(block.neurons.bias, block.shape)
        self._bias = np.broadcast_to(bias, (samples, *bias.shape)).reshape(1, neurons) << INPUT_SHIFT
        self._counts = np.zeros(neurons, np.int32)
        # What arrived in the steps before, as far back as synapses delay it.
        self._before = np.zeros((drive.tail if drive else 0, samples, *in_memory(source_shape)), np.int32)
        self.wraps = self.clips = 0

    @property
    def potentials(self) -> NDArray[np.int32]:
        """v, (samples, *shape of the block), as it is now; in Lava's unit, 64 of which are a weight unit."""
        return self._by_sample(self._voltage)

    def take_counts(self) -> NDArray[np.int32]:
        """Return the spikes of each neuron since the last call, (samples, *shape of the block)."""
        counts = self._by_sample(self._counts)
        self._counts[...] = 0
        return counts

    def advance(
        self, values: NDArray[np.generic], resets: NDArray[np.bool_], counted: int = 0, *, silent: int = 0
    ) -> NDArray[np.bool_]:
        """Run some steps more.

        Args:
            values: What arrives, (steps - silent, samples, *source shape): spikes, numbers or, at an input block,
                biases. Of one step it is the same in all of them.
            resets: Whether the neurons are reset in each step, (steps,).
            counted: The first step whose spikes are counted.
            silent: The first steps, in which nothing arrives.

        Returns:
            Spikes, (steps, samples, *shape).
        """
        block, steps = self._block, len(resets)
        size = self._samples * block.size
        activation, bias = np.zeros((1, size), np.int32), self._bias
        if self._drive is None:
            bias = values.reshape(len(values), size).astype(np.int32) << INPUT_SHIFT
        else:
            activation = self._activation(self._drive, values, silent)
        fired = np.empty((steps, size), np.bool_)
        activation, bias = np.ascontiguousarray(activation), np.ascontiguousarray(bias)
        if self._recurrent is None:
            self._integrate(activation, bias, resets, fired, counted)
        else:
            self._integrate_recurrent(self._recurrent, activation, bias, resets, fired, counted)
        return fired.reshape(steps, self._samples, *in_memory(block.shape))

    def _integrate(
        self,
        activation: NDArray[np.int32],
        bias: NDArray[np.int32],
        resets: NDArray[np.bool_],
        fired: NDArray[np.bool_],
        counted: int,
    ) -> None:
        neurons = self._block.neurons
        wraps, clips = integrate_steps(
            activation,
            self._current,
            self._voltage,
            bias,
            resets,
            DECAY_UNITY - neurons.current_decay,
            DECAY_UNITY - neurons.voltage_decay,
            neurons.threshold << INPUT_SHIFT,
            fired,
            self._counts,
            counted,
        )
        self.wraps += int(wraps)
        self.clips += int(clips)

    def _integrate_recurrent(
        self,
        recurrent: SynapticDrive,
        activation: NDArray[np.int32],
        bias: NDArray[np.int32],
        resets: NDArray[np.bool_],
        fired: NDArray[np.bool_],
        counted: int,
    ) -> None:
        """Integrate step by step, since what the neurons fire is a part of what arrives in the next one."""
        for step in range(len(resets)):
            returned = recurrent(self._returning.view(np.uint8)).reshape(1, -1)
            one = slice(step, step + 1)
            # Lava adds in 32 bits, which wrap.
            arriving = activation[step % len(activation)] + returned
            self._integrate(arriving, bias[step % len(bias)][None], resets[one], fired[one], max(counted - step, 0))
            self._returning = fired[one].reshape(1, self._samples, -1)

    def _by_sample(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        shape = self._block.shape
        return from_memory(values.reshape(self._samples, *in_memory(shape)), shape).copy()

    def _activation(self, drive: SynapticDrive, values: NDArray[np.generic], silent: int) -> NDArray[np.int32]:
        """Return what the synapses add in each step, or in all of them, (steps or 1, neurons)."""
        values = values.view(np.uint8) if values.dtype == np.bool_ else values
        if drive.tail:
            values = np.concatenate([self._before, values])
            self._before = np.ascontiguousarray(values[len(values) - drive.tail :])
        activation = drive(values).reshape(-1, self._samples * self._block.size)
        if not silent:
            return activation
        return np.concatenate([np.zeros((silent, activation.shape[1]), np.int32), activation])


def bytes_per_sample(block: Block, source_shape: tuple[int, ...]) -> int:
    """Return the bytes that a sample takes for what is carried from step to step."""
    delayed = block.connections.longest_delay if block.connections else 0
    return 12 * block.size + 4 * delayed * math.prod(source_shape)


def bytes_per_step(block: Block, source_shape: tuple[int, ...]) -> int:
    """Return the bytes that a sample takes for each step that is computed at once."""
    # Sums as floating-point numbers and as integers, spikes; what arrives as bytes or floating-point numbers.
    return 13 * block.size + 12 * math.prod(source_shape)
