"""A simulation of a program written straight from the definition of a layer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from snnc.program import Program, Synapse


def convolve(x: np.ndarray, synapse: Synapse) -> np.ndarray:
    """A convolution of one image, int64, by its definition."""
    weight = synapse.weight.astype(np.int64)
    outputs, inputs, rows, columns = weight.shape
    pad = synapse.padding
    x = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    spans = [d * (k - 1) + 1 for d, k in zip(synapse.dilation, (rows, columns), strict=True)]
    height, width = ((size - s) // step + 1 for size, s, step in zip(x.shape[1:], spans, synapse.stride, strict=True))
    result = np.zeros((outputs, height, width), np.int64)
    for output in range(outputs):
        first = output // (outputs // synapse.groups) * inputs
        for y in range(height):
            for z in range(width):
                top, left = y * synapse.stride[0], z * synapse.stride[1]
                window = x[
                    first : first + inputs,
                    top : top + spans[0] : synapse.dilation[0],
                    left : left + spans[1] : synapse.dilation[1],
                ]
                result[output, y, z] = (weight[output] * window).sum()
    return result


def arriving(x: np.ndarray, synapse: Synapse, shape: tuple[int, ...]) -> np.ndarray:
    """What a synapse adds to a layer of that shape, int64."""
    weight = synapse.weight.astype(np.int64)
    if synapse.kind == "conv":
        result = convolve(x, synapse)
    elif synapse.kind == "dense":
        result = weight @ x.ravel()
    else:
        starts, columns = synapse.entries.row_starts, synapse.entries.columns
        rows = [slice(*each) for each in pairwise(starts)]
        result = np.array([sum(weight[row] * x.ravel()[columns[row]]) for row in rows], np.int64)
    return result.reshape(shape) * 2**synapse.exponent


def reference(program: Program, levels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, list[tuple[int, int]]]:
    """Spikes of each layer (samples, T, *shape), the readout, and each membrane's range before resets.

    Sample by sample and step by step: ``u += synapses + bias``; fire where ``u >= theta - v0``; then ``u -= theta``, or
    ``u = 0`` where the layer is memoryless. With lead it fires in the last T of T + k steps, and nothing arrives in the
    last k.
    """
    if program.lead:
        return reference_with_lead(program, levels)
    steps = program.timesteps
    spikes = [np.zeros((len(levels), steps, *layer.shape), bool) for layer in program.spiking_layers]
    readouts = np.zeros((len(levels), *program.readout.shape), np.int64)
    ranges = [(0, 0)] * len(program.layers)
    for sample, level in enumerate(levels):
        membranes = [np.zeros(layer.shape, np.int64) for layer in program.layers]
        # The input: integrate-and-fire neurons that start halfway and send as many units as there are in them.
        unit = 255 if program.coding.kind == "rate" else program.coding.divisor
        charge = program.coding.phases.astype(np.int64)
        for step in range(steps):
            charge += level
            values = {-1: charge // unit}
            charge -= values[-1] * unit
            for index, layer in enumerate(program.layers):
                drive = np.zeros(layer.shape, np.int64) + layer.bias
                for synapse in layer.synapses:
                    drive += arriving(values[synapse.source], synapse, layer.shape)
                membrane = membranes[index]
                membrane += drive
                low, high = ranges[index]
                ranges[index] = (min(low, int(membrane.min())), max(high, int(membrane.max())))
                if layer.threshold is not None:
                    theta = layer.threshold.mantissa * 2**layer.threshold.exponent
                    fired = membrane >= theta - layer.initial_potential
                    membrane -= theta * fired
                    spikes[index][sample, step] = fired
                    values[index] = fired.astype(np.int64)
                if layer.memoryless:
                    membrane[...] = 0
        readouts[sample] = membranes[-1]
    return spikes, readouts, ranges


def reference_with_lead(
    program: Program, levels: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, list[tuple[int, int]]]:
    """The same for a program with lead, layer by layer; what a gate would have to do is not part of it."""
    steps = program.timesteps
    trains = [program.coding.spikes(levels, steps).astype(np.int64)]
    ranges = []
    for layer in program.layers:
        fires = layer.threshold is not None
        lead = program.lead if fires and not layer.memoryless else 0
        sent = np.zeros((len(levels), steps, *layer.shape), np.int64)
        membranes = np.zeros((len(levels), *layer.shape), np.int64)
        low = high = 0
        for sample, membrane in enumerate(membranes):
            for step in range(steps + lead):
                if step < steps:
                    membrane += layer.bias
                    for synapse in layer.synapses:
                        membrane += arriving(trains[synapse.source + 1][sample, step], synapse, layer.shape)
                low, high = min(low, int(membrane.min())), max(high, int(membrane.max()))
                if fires and step >= lead:
                    theta = layer.threshold.mantissa * 2**layer.threshold.exponent
                    fired = membrane >= theta - layer.initial_potential
                    membrane -= theta * fired
                    sent[sample, step - lead] = fired
                if layer.memoryless:
                    membrane[...] = 0
        trains.append(sent)
        ranges.append((low, high))
    return [each.astype(bool) for each in trains[1:-1]], membranes, ranges
