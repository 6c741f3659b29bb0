"""What a synapse reads on the calibration data: means and covariance of its windows, or, of many inputs, samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.ir import (
    Conv2d,
    Graph,
    Input,
    Linear,
    Node,
    Readout,
    Relay,
    Sparse,
    SpikeMax2d,
    SpikingLayer,
    Weighted,
    execute,
)
from snnc.compiler.ir.exact_sums import ExactSums
from snnc.compiler.ir.pooling import windows

# Beyond so many inputs of a neuron a covariance takes too long and needs more samples than there are.
FAN_IN_MAXIMUM = 1152
# Of what has no covariance, values that are kept: of one synapse, and windows of a convolution.
VALUES_MAXIMUM = 1 << 24
KEPT_WINDOWS_MAXIMUM = 1024
# Of these samples or windows, every so many-th tells how good the rounding is, and has no part in it.
JUDGING = 4
# Samples that are looked at: of layers, and of the input, which needs no computing.
SAMPLES_MAXIMUM, INPUT_SAMPLES_MAXIMUM = 128, 512
# Windows that are looked at: as many as this many multiplications allow, within bounds.
PRODUCTS = 1 << 33
WINDOWS_MAXIMUM = 1 << 17
WINDOWS_PER_INPUT = 4
# Windows whose products are summed in one step: adding the sums up takes as long as some tens of windows.
WINDOWS_AT_ONCE = 512
# Of the mean square of an input, what its variance is held above.
NOISE = 1e-9

# A synapse of a network: the name of its layer, and its place among the layer's synapses.
Place = tuple[str, int]


@dataclass(frozen=True, eq=False)
class InputMoments:
    """Moments of what one synapse reads, padded zeros included.

    Attributes:
        mean: The mean value of every neuron of the source, (*source shape): of the input in levels, of a layer in
            spikes for each step.
        covariance: Of the values within a window, for each group, (groups, fan-in, fan-in), where fan-in counts
            channels first, then rows and columns of the kernel, as the weights do.
        windows: Number of windows that they were measured on.
    """

    mean: FloatArray
    covariance: FloatArray
    windows: int


@dataclass(frozen=True, eq=False)
class InputSamples:
    """What one synapse reads in some samples: of those that read too much for a covariance, or anything at all.

    Attributes:
        mean: As for :class:`InputMoments`.
        fitting: Values less their means, float32: of a convolution or a linear operation its windows, (groups, windows,
            fan-in), where fan-in counts as the weights do; of a sparse one the whole source, (1, samples, values).
        judging: Others, likewise; at least one.
        sparse: The operation, where it is a sparse one.
    """

    mean: FloatArray
    fitting: NDArray[np.float32]
    judging: NDArray[np.float32]
    sparse: Sparse | None = None


Readings = InputMoments | InputSamples


def input_readings(graph: Graph, levels: NDArray[np.uint8]) -> dict[Place, Readings]:
    """Return what every synapse of a network reads.

    Args:
        graph: A network of spiking layers with thresholds.
        levels: Calibration data as input levels, (samples, *input shape). Of the input up to 512 of them are looked at,
            of layers up to 128; a layer's rates are taken to be the ANN's activations in thresholds, 1 at most.
    """
    found: dict[Place, Readings] = {}
    # Of synapses that look at one source through equal windows, as the layers of a DenseNet do by the hundred, the
    # moments are the same, and a covariance takes ten megabytes.
    known: dict[tuple[object, ...], Readings] = {}

    def observed(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if isinstance(node.op, SpikingLayer | Readout):
            for place, (synapse, name, value) in enumerate(zip(node.op.synapses, node.inputs, inputs, strict=True)):
                source = _origin(graph, name).op
                sent = _rates(source, value) if isinstance(source, SpikingLayer) else value
                key = (name, *_windows_of(synapse))
                if key not in known:
                    # Nothing has to be computed for more samples of the input itself.
                    known[key] = measure_readings(synapse, whole if name == graph.input.name else sent)
                found[node.name, place] = _of(synapse, known[key])
        if not isinstance(node.op, SpikingLayer | Readout):
            return node.op.apply(*inputs)
        # Each is needed once: those of all layers would take several times the memory of the network.
        drive = ExactSums(node.op.synapses).drive(*inputs)
        return node.op.activate(drive) if isinstance(node.op, SpikingLayer) else drive

    whole = torch.as_tensor(levels[:: -(-len(levels) // INPUT_SAMPLES_MAXIMUM)], dtype=torch.float32)
    execute(graph, whole[:: -(-len(whole) // SAMPLES_MAXIMUM)], apply=observed)
    return found


def readings_size(graph: Graph, samples: int) -> int:
    """Return the bytes that :func:`input_readings` takes.

    Args:
        graph: A network of spiking layers.
        samples: How many there are.
    """
    size, known = 0, set()
    for node in graph.of_kind(SpikingLayer, Readout):
        assert isinstance(node.op, SpikingLayer | Readout)
        for synapse, name in zip(node.op.synapses, node.inputs, strict=True):
            key = (name, *_windows_of(synapse))
            if key in known:
                continue
            known.add(key)
            looked = min(samples, INPUT_SAMPLES_MAXIMUM if name == graph.input.name else SAMPLES_MAXIMUM)
            if isinstance(synapse, Sparse):
                size += 4 * min(looked * math.prod(graph[name].shape), VALUES_MAXIMUM)
                continue
            groups = synapse.groups if isinstance(synapse, Conv2d) else 1
            fan_in, places = synapse.weight[0].size, looked * math.prod(node.shape[1:])
            if fan_in <= FAN_IN_MAXIMUM and places >= fan_in:
                size += 8 * groups * fan_in**2
            else:
                wanted = min(places, KEPT_WINDOWS_MAXIMUM, VALUES_MAXIMUM // (groups * fan_in))
                size += 4 * groups * wanted * fan_in
    return size


def _windows_of(synapse: Weighted) -> tuple[object, ...]:
    """Return what tells which values of its source the neurons of a synapse look at together, but for sparse ones."""
    if isinstance(synapse, Conv2d):
        kernel = synapse.weight.shape[2:]
        return ("conv", kernel, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
    return (type(synapse),)


def _of(synapse: Weighted, readings: Readings) -> Readings:
    """Return readings with the operation that they are of, where that is a sparse one."""
    if isinstance(readings, InputSamples) and isinstance(synapse, Sparse):
        return replace(readings, sparse=synapse)
    return readings


def _origin(graph: Graph, name: str) -> Node:
    """Return the input or layer whose spikes a node sends: its own, or those that it passes on."""
    node = graph[name]
    while isinstance(node.op, Relay | SpikeMax2d):
        node = graph[node.inputs[0]]
    assert isinstance(node.op, Input | SpikingLayer)
    return node


def measure_readings(synapse: Weighted, values: torch.Tensor) -> Readings:
    """Return what a synapse reads: moments where its fan-in allows and there are enough samples, else samples.

    Args:
        synapse: The operation.
        values: What its source sends, (samples, *source shape).
    """
    if isinstance(synapse, Conv2d | Linear):
        fan_in = synapse.weight[0].size
        positions = windows(synapse, values[:1]).shape[2]
        # A covariance of fewer windows than inputs is one of chance.
        is_known = fan_in <= FAN_IN_MAXIMUM and len(values) * positions >= fan_in
        return measure_input_moments(synapse, values) if is_known else _measure_windows(synapse, values)
    some = values[:: -(-values.numel() // VALUES_MAXIMUM)].double()
    mean = some.mean(0)
    return _samples((some - mean).flatten(1)[None].numpy(), mean.numpy(), synapse)


def _measure_windows(synapse: Conv2d | Linear, values: torch.Tensor) -> InputSamples:
    """Return windows of many inputs, drawn evenly from all samples."""
    groups = synapse.groups if isinstance(synapse, Conv2d) else 1
    positions = windows(synapse, values[:1]).shape[2]
    wanted = max(JUDGING, min(KEPT_WINDOWS_MAXIMUM, VALUES_MAXIMUM // (groups * synapse.weight[0].size)))
    skipped = max(1, len(values) * positions // wanted)
    chosen = []
    for index, sample in enumerate(values):
        places = slice((-index * positions) % skipped, None, skipped)
        if len(range(positions)[places]):
            read = windows(synapse, sample[None].double())[0].reshape(groups, -1, positions)
            chosen.append(read[:, :, places].transpose(1, 2))
    found = torch.cat(chosen, 1)
    return _samples((found - found.mean(1, keepdim=True)).numpy(), values.double().mean(0).numpy())


def _samples(values: FloatArray, mean: FloatArray, sparse: Sparse | None = None) -> InputSamples:
    """Part values into those that rounding sees and those that judge it; where there are few, all do both."""
    kept = values.astype(np.float32)
    if kept.shape[1] < 2 * JUDGING:
        return InputSamples(mean, kept, kept, sparse)
    judges = np.arange(kept.shape[1]) % JUDGING == JUDGING - 1
    return InputSamples(mean, kept[:, ~judges], kept[:, judges], sparse)


def _rates(op: SpikingLayer, activations: torch.Tensor) -> torch.Tensor:
    """Return the spikes for each step."""
    threshold = torch.as_tensor(op.threshold, dtype=activations.dtype)
    return (activations / per_channel(threshold, activations.dim() - 1)).clamp(max=1)


def measure_input_moments(synapse: Conv2d | Linear, values: torch.Tensor) -> InputMoments:
    """Return the moments of what a synapse reads.

    Args:
        synapse: The operation.
        values: What its source sends, (samples, *source shape).
    """
    groups = synapse.groups if isinstance(synapse, Conv2d) else 1
    fan_in = synapse.weight[0].size
    wanted = min(max(PRODUCTS // fan_in**2, WINDOWS_PER_INPUT * fan_in), WINDOWS_MAXIMUM)
    total = torch.zeros(groups, fan_in, dtype=torch.float64)
    products = torch.zeros(groups, fan_in, fan_in, dtype=torch.float64)
    count = 0
    positions = windows(synapse, values[:1]).shape[2]
    # Every n-th window, in each sample from another one on.
    skipped = max(1, len(values) * positions // wanted)
    together = max(1, WINDOWS_AT_ONCE * skipped // positions)
    for begin in range(0, len(values), together):
        some = values[begin : begin + together]
        read = windows(synapse, some.double()).reshape(len(some), groups, fan_in, positions)
        chosen = torch.cat([each[:, :, (begin + index) % skipped :: skipped] for index, each in enumerate(read)], 2)
        total += chosen.sum(2)
        products += chosen @ chosen.transpose(1, 2)
        count += chosen.shape[2]
    mean = total / count
    covariance = products / count - mean[:, :, None] * mean[:, None, :]
    # What rounding leaves of the variance of a constant may be below 0.
    covariance += torch.diag_embed(NOISE * products.diagonal(dim1=1, dim2=2) / count)
    return InputMoments(values.double().mean(0).numpy(), covariance.numpy(), count)
