"""What silences layers: pulses of clock neurons, each depth's at its own time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.compiler.program import Gate, Program
from snnc.runtime.lava.clocks import Clocks
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import attach_matrix


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
        """Attaches a layer's gate: a synapse for each sign, since one that has both keeps a bit less of its weights.

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
