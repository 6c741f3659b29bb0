"""What makes Lava's LIF the paper's neuron: reset by subtraction, biases, and the gates between samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.program import Gate, Layer, Program, Scaled
from snnc.program.targets import get_target
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process
from snnc.runtime.lava.schedule import UNIT, Schedule
from snnc.runtime.lava.synapses import attach_matrix

# A LIF whose voltage rises by one unit each step (schedule.UNIT), and falls to zero as it fires.
RISING = {"bias_mant": 1, "bias_exp": 6, "du": 4095, "dv": 0}


class Clocks:
    """One population of such neurons, each with its own time; all are added before it is built.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._starts: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, step: int, count: int = 1) -> NDArray[np.int64]:
        """Add neurons that fire together.

        Args:
            step: When they fire for the first time, from 1.
            count: Their number.

        Returns:
            Which ones of the population they are, (count,).
        """
        first = len(self._starts)
        self._starts += [self._schedule.clock_start(step)] * count
        return np.arange(first, first + count)

    def build(self, parts: Parts) -> Process:
        """Return the LIF process of all that were added, at least one, made of these parts."""
        starts = np.array(self._starts)
        return parts.lif(shape=starts.shape, vth=self._schedule.interval - 1, v=starts, **RISING)


class Gates:
    """The clock neurons of all gates: for each depth as many as its strongest gate has pulses.

    Without lead one group of them fires for the blank step. With lead a second one closes the layer as its window
    opens, right after that; a third one takes this back as the layer may fire.

    Args:
        program: The program.
        schedule: The schedule.
        clocks: Where the neurons are added.
        parts: Where processes come from.
    """

    def __init__(self, program: Program, schedule: Schedule, clocks: Clocks, parts: Parts) -> None:
        pulses: dict[int, int] = {}
        for layer, depth in zip(program.layers, program.depths, strict=True):
            pulses[depth] = max(pulses.get(depth, 0), layer.gate.count if layer.gate else 0)
        self._closing: dict[int, list[NDArray[np.int64]]] = {}
        self._opening: dict[int, NDArray[np.int64]] = {}
        for depth, count in sorted(pulses.items()):
            self._closing[depth] = [clocks.add(schedule.blank_pulse(depth), count)]
            if schedule.lead:
                self._closing[depth].append(clocks.add(schedule.closing_pulse(depth), count))
                self._opening[depth] = clocks.add(schedule.opening_pulse(depth), count)
        self._clocks = clocks
        self._parts = parts

    def attach(self, gate: Gate, depth: int, clock: Process, population: Population) -> list[Process]:
        """Attach a layer's gate: a synapse for each sign, since one that has both keeps a bit less of its weights.

        Args:
            gate: The gate.
            depth: The layer's place in the pipeline, from 0.
            clock: The clock neurons.
            population: The layer's neurons.

        Returns:
            The processes; the caller keeps them, since Lava does not.
        """
        closing = np.concatenate([each[: gate.count] for each in self._closing[depth]])
        ways: Mapping[int, NDArray[np.int64]] = {-gate.pulse.mantissa: closing}
        if depth in self._opening:
            ways = {**ways, gate.pulse.mantissa: self._opening[depth][: gate.count]}
        attached = []
        for weight, neurons in ways.items():
            columns = np.zeros((1, len(self._clocks)), np.int64)
            columns[:, neurons] = weight
            weights = csr_matrix(np.ones((population.neurons, 1), np.int64) * columns)
            attached.append(attach_matrix(self._parts, weights, gate.pulse.exponent, clock.s_out, population))
        return attached


class Biases:
    """One neuron for each depth that occurs.

    Without lead it fires in every step from the first window on: the bias then arrives in blank steps too, where it
    does no harm. With lead a window has steps without input, in which it has to rest. Then it is a LIF that holds its
    current for ever and whose voltage is its current: it fires in each step from the one on in which a clock neuron
    adds to the current, until another takes that away after T steps.

    Args:
        program: The program.
        schedule: The schedule.
        clocks: Where the clock neurons are added.
        parts: Where processes come from.
    """

    def __init__(self, program: Program, schedule: Schedule, clocks: Clocks, parts: Parts) -> None:
        self._schedule = schedule
        self._target = get_target(program.target)
        self._depths = sorted(set(program.depths))
        self._switches: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        if schedule.lead:
            for depth in self._depths:
                on, off = schedule.bias_switches(depth)
                self._switches.append((clocks.add(on), clocks.add(off)))
        self._clocks = clocks
        self._parts = parts

    def build(self, clock: Process | None) -> list[Process]:
        """Make the neurons.

        Args:
            clock: The clock neurons, where there are any.

        Returns:
            The processes, themselves first; the caller keeps them, since Lava does not.
        """
        shape = (len(self._depths),)
        if not self._switches:
            starts = np.array([self._schedule.bias_start(depth) for depth in self._depths])
            self._neurons = self._parts.lif(shape=shape, vth=0, v=starts, **RISING)
            return [self._neurons]
        assert clock is not None
        # What turns such a neuron on, and off again: synapses of both signs have multiples of it.
        pulse = self._target.weight_step
        # The first window of depth 0 opens too early for a clock neuron to switch anything on.
        begun = np.array([pulse * UNIT * self._schedule.begins_with_bias(depth) for depth in self._depths])
        self._neurons = self._parts.lif(shape=shape, vth=0, u=begun, du=-1, dv=4096)
        weights = np.zeros((len(self._depths), len(self._clocks)), np.int32)
        for row, (on, off) in zip(weights, self._switches, strict=True):
            row[on], row[off] = pulse, -pulse
        switch = self._parts.sparse(weights=csr_matrix(weights))
        clock.s_out.connect(switch.s_in)
        switch.a_out.connect(self._neurons.a_in)
        return [self._neurons, switch]

    def attach(self, layer: Layer, depth: int, population: Population) -> list[Process]:
        """Attach a layer, with its bias as multiples of the chip's ``bias_step`` and the rest.

        Args:
            layer: The layer.
            depth: Its place in the pipeline, from 0.
            population: Its neurons.

        Returns:
            The processes; the caller keeps them, since Lava does not.
        """
        bias = population.arrange(np.broadcast_to(layer.bias, layer.shape).astype(np.int64))
        step, grain = self._target.bias_step, self._target.weight_step
        rest = (bias + step // 2) % step - step // 2
        coarse = (bias - rest) // step
        attached = []
        # Weights of both signs are multiples of a grain: so many times the number, and an exponent that divides again.
        divided = grain.bit_length() - 1
        for values, exponent in ((rest, -divided), (coarse, step.bit_length() - 1 - divided)):
            if values.any():
                rows = np.flatnonzero(values)
                columns = np.full(len(rows), self._depths.index(depth))
                weights = csr_matrix((grain * values[rows], (rows, columns)), (layer.neurons, len(self._depths)))
                attached.append(attach_matrix(self._parts, weights, exponent, self._neurons.s_out, population))
        return attached


class Control:
    """The populations that drive all layers alike, and their synapses.

    Args:
        program: The program.
        schedule: The schedule.
        parts: Where processes come from.

    Attributes:
        processes: The populations, and what connects them; the caller keeps them, since Lava does not.
    """

    def __init__(self, program: Program, schedule: Schedule, parts: Parts) -> None:
        self._parts = parts
        clocks = Clocks(schedule)
        self._gates = Gates(program, schedule, clocks, parts)
        self._biases = Biases(program, schedule, clocks, parts)
        self._clock = clocks.build(parts) if len(clocks) else None
        self.processes = self._biases.build(self._clock)

    def attach(self, layer: Layer, depth: int, population: Population) -> list[Process]:
        """Attach a layer.

        Args:
            layer: The layer.
            depth: Its place in the pipeline, from 0.
            population: Its neurons.

        Returns:
            The processes; the caller keeps them, since Lava does not.
        """
        attached = self._biases.attach(layer, depth, population)
        if layer.threshold and not layer.memoryless:
            attached.append(self._attach_inhibition(layer.threshold, population))
        if layer.gate:
            assert self._clock is not None
            attached += self._gates.attach(layer.gate, depth, self._clock, population)
        return attached

    def _attach_inhibition(self, threshold: Scaled, population: Population) -> Process:
        """Attach the reset by subtraction: a spike takes theta off its own neuron's potential one step later."""
        diagonal = np.arange(population.neurons)
        weights = csr_matrix((np.full(population.neurons, -threshold.mantissa), (diagonal, diagonal)))
        return attach_matrix(self._parts, weights, threshold.exponent, population.flat_spikes(), population)
