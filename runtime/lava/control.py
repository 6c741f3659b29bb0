"""What makes Lava's LIF the paper's neuron: reset by subtraction, biases, and the gates between samples."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from snnc.compiler.program import Layer, Program
from snnc.runtime.lava.population import Population, Process
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import attach_matrix

# A bias is a multiple of 256 and a rest in -128..127.
BIAS_STEP = 256


class Control:
    """The populations that drive all layers alike, and their synapses.

    One always-on neuron for each depth carries the biases of its layers; the clock neurons of a depth silence them in
    their blank step, as many of them as the strongest gate has pulses.

    Args:
        program: The program.
        schedule: The schedule.
    """

    def __init__(self, program: Program, schedule: Schedule) -> None:
        from lava.proc.lif.process import LIF

        self._schedule = schedule
        pulses = [0] * schedule.depth
        for layer, depth in zip(program.layers, program.depths, strict=True):
            pulses[depth] = max(pulses[depth], layer.gate.count if layer.gate else 0)
        self._owners = np.repeat(np.arange(schedule.depth), pulses)
        # A LIF that rises by one unit each step.
        rising = {"bias_mant": 1, "bias_exp": 6, "du": 4095, "dv": 0}
        starts = np.array([schedule.bias_start(depth) for depth in range(schedule.depth)])
        self._always_on = LIF(shape=starts.shape, vth=0, v=starts, **rising)
        starts = np.array([schedule.gate_start(int(depth)) for depth in self._owners])
        self._clock = LIF(shape=starts.shape, vth=schedule.timesteps, v=starts, **rising) if len(starts) else None

    def attach(self, layer: Layer, depth: int, population: Population) -> list[Process]:
        """Attaches a layer.

        Args:
            layer: The layer.
            depth: Its place in the pipeline, from 0.
            population: Its neurons.

        Returns:
            The processes; the caller keeps them, since Lava does not.
        """
        attached = self._attach_bias(layer, depth, population)
        if layer.threshold and not layer.memoryless:
            attached.append(_attach_inhibition(layer.threshold.mantissa, layer.threshold.exponent, population))
        if layer.gate:
            assert self._clock is not None
            own = np.flatnonzero(self._owners == depth)[: layer.gate.count]
            columns = np.zeros((1, len(self._owners)), np.int64)
            columns[:, own] = -layer.gate.pulse.mantissa
            weights = csr_matrix(np.ones((layer.neurons, 1), np.int64) * columns)
            attached.append(attach_matrix(weights, layer.gate.pulse.exponent, self._clock.s_out, population))
        return attached

    def _attach_bias(self, layer: Layer, depth: int, population: Population) -> list[Process]:
        """The bias, from the depth's always-on neuron, as multiples of 256 and the rest."""
        bias = population.arrange(np.broadcast_to(layer.bias, layer.shape).astype(np.int64))
        rest = (bias + BIAS_STEP // 2) % BIAS_STEP - BIAS_STEP // 2
        coarse = (bias - rest) // BIAS_STEP
        attached = []
        # Weights of both signs are even on the chip: twice the number, and an exponent that halves it again.
        for values, exponent in ((rest, -1), (coarse, 7)):
            if values.any():
                rows = np.flatnonzero(values)
                columns = np.full(len(rows), depth)
                weights = csr_matrix((2 * values[rows], (rows, columns)), (layer.neurons, self._schedule.depth))
                attached.append(attach_matrix(weights, exponent, self._always_on.s_out, population))
        return attached


def _attach_inhibition(mantissa: int, exponent: int, population: Population) -> Process:
    """Reset by subtraction: a spike takes theta off its own neuron's potential one step later."""
    diagonal = np.arange(population.neurons)
    weights = csr_matrix((np.full(population.neurons, -mantissa), (diagonal, diagonal)))
    return attach_matrix(weights, exponent, population.flat_spikes(), population)
