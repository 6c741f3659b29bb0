"""What drives the biases: a neuron for each depth that fires in each step in which its layers receive them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.compiler.program import Layer, Program
from snnc.runtime.lava.clocks import RISING, Clocks
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process
from snnc.runtime.lava.schedule import UNIT, Schedule
from snnc.runtime.lava.synapses import attach_matrix

# A bias is a multiple of 256 and a rest in -128..127.
BIAS_STEP = 256
# What turns a neuron that holds its current on, and off again; synapses of both signs have even weights.
SWITCH = 2


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
        self._depths = sorted(set(program.depths))
        self._switches: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        if schedule.lead:
            for depth in self._depths:
                on, off = schedule.bias_switches(depth)
                self._switches.append((clocks.add(on), clocks.add(off)))
        self._clocks = clocks
        self._parts = parts

    def build(self, clock: Process | None) -> list[Process]:
        """Makes the neurons.

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
        # The first window of depth 0 opens too early for a clock neuron to switch anything on.
        begun = np.array([SWITCH * UNIT * self._schedule.begins_with_bias(depth) for depth in self._depths])
        self._neurons = self._parts.lif(shape=shape, vth=0, u=begun, du=-1, dv=4096)
        weights = np.zeros((len(self._depths), len(self._clocks)), np.int32)
        for row, (on, off) in zip(weights, self._switches, strict=True):
            row[on], row[off] = SWITCH, -SWITCH
        switch = self._parts.sparse(weights=csr_matrix(weights))
        clock.s_out.connect(switch.s_in)
        switch.a_out.connect(self._neurons.a_in)
        return [self._neurons, switch]

    def attach(self, layer: Layer, depth: int, population: Population) -> list[Process]:
        """Attaches a layer, with its bias as multiples of 256 and the rest.

        Args:
            layer: The layer.
            depth: Its place in the pipeline, from 0.
            population: Its neurons.

        Returns:
            The processes; the caller keeps them, since Lava does not.
        """
        bias = population.arrange(np.broadcast_to(layer.bias, layer.shape).astype(np.int64))
        rest = (bias + BIAS_STEP // 2) % BIAS_STEP - BIAS_STEP // 2
        coarse = (bias - rest) // BIAS_STEP
        attached = []
        # Weights of both signs are even on the chip: twice the number, and an exponent that halves it again.
        for values, exponent in ((rest, -1), (coarse, 7)):
            if values.any():
                rows = np.flatnonzero(values)
                columns = np.full(len(rows), self._depths.index(depth))
                weights = csr_matrix((2 * values[rows], (rows, columns)), (layer.neurons, len(self._depths)))
                attached.append(attach_matrix(self._parts, weights, exponent, self._neurons.s_out, population))
        return attached
