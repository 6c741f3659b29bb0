"""What makes Lava's LIF the paper's neuron: reset by subtraction, biases, and the gates between samples."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from snnc.compiler.program import Layer, Program, Scaled
from snnc.runtime.lava.biases import Biases
from snnc.runtime.lava.clocks import Clocks
from snnc.runtime.lava.gates import Gates
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import attach_matrix


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
        """Attaches a layer.

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
        """Reset by subtraction: a spike takes theta off its own neuron's potential one step later."""
        diagonal = np.arange(population.neurons)
        weights = csr_matrix((np.full(population.neurons, -threshold.mantissa), (diagonal, diagonal)))
        return attach_matrix(self._parts, weights, threshold.exponent, population.flat_spikes(), population)
