"""Float layers in units of their thresholds, and operations as the synapses that are to hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.common.arrays import AnyIntegerArray, FloatArray, per_channel
from snnc.compiler.ir import Conv2d, Graph, Linear, Node, Readout, Shape, Sparse, SpikingLayer, Weighted
from snnc.program import Entries, Synapse


@dataclass(frozen=True, eq=False)
class NormalizedLayer:
    """A float layer in units of its threshold; the readout in units of the logits.

    Attributes:
        synapses: What the layer computes.
        weights: The weights of each synapse in thresholds per spike of its source.
        bias: In thresholds, with the layer's axes.
        start: Initial potential v0 / Vth, 0..1; 0 for the readout.
        sources: For each synapse the shape of what it reads and the largest value that one neuron of it sends.
        shape: Shape of the layer.
        measured: Smallest and largest input of the ReLU on the calibration data.
        spiking: Whether it fires; the readout does not.
        where: What errors call it.
    """

    synapses: tuple[Weighted, ...]
    weights: tuple[FloatArray, ...]
    bias: FloatArray
    start: float
    sources: tuple[tuple[Shape, int], ...]
    shape: Shape
    measured: tuple[float, float]
    spiking: bool
    where: str


def normalized_weight(synapse: Weighted, unit: FloatArray, source: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return weights in thresholds of the layer per spike of the source; for a sparse operation those of its entries.

    Args:
        synapse: The float operation.
        unit: Threshold of each channel of the layer.
        source: Threshold of each channel of the source.
        shape: Shape of the source.
    """
    if isinstance(synapse, Sparse):
        rows = np.repeat(1 / unit, math.prod(synapse.shape[1:]))
        columns = np.repeat(source, math.prod(shape[1:]))
        entry_rows = np.repeat(np.arange(len(rows)), np.diff(synapse.matrix.indptr))
        return np.asarray(synapse.matrix.data * columns[synapse.matrix.indices] * rows[entry_rows])
    if isinstance(synapse, Linear):
        return synapse.weight * np.repeat(source, math.prod(shape[1:])) / per_channel(unit, 2)
    grouped = synapse.weight.reshape(synapse.groups, -1, *synapse.weight.shape[1:])
    scaled: FloatArray = grouped * source.reshape(synapse.groups, 1, -1, 1, 1)
    return scaled.reshape(synapse.weight.shape) / per_channel(unit, 4)


@dataclass(frozen=True, eq=False)
class Idle:
    """What sends the same at all times, in the calibration data: neurons that never fire, constants of the input.

    Attributes:
        places: Where, of the shape of the source, bool.
        values: What each sends in a step, in units of it, of the shape of the source; 0 where it varies.
    """

    places: NDArray[np.bool_]
    values: FloatArray

    def scaled(self, factor: float) -> Idle:
        """Return the same in other units."""
        return Idle(self.places, self.values * factor)


# How many times as large as the others weights that read what is idle may be, before they are cut: those of a network
# that was finetuned with rounded weights lie on a grid already, which a slightly finer one would miss.
_IDLE_MOST = 2.0


def without_idle(
    synapse: Weighted, weight: FloatArray, idle: Idle | None, shape: Shape
) -> tuple[FloatArray, FloatArray | float]:
    """Return weights of which those that read what is idle are no larger than the others, and what the bias takes over.

    A normalisation that follows a ReLU divides by the standard deviation of what never fires, 0: its weights are some
    hundred times as large as all that count, and must not decide how fine these are.

    Args:
        synapse: The operation.
        weight: In thresholds per spike of the source, as :func:`normalized_weight` gives it.
        idle: What is idle of the source; None: nothing.
        shape: Shape of the source.
    """
    if idle is None:
        return weight, 0.0
    if isinstance(synapse, Conv2d):
        # Only whole channels are idle at every position, and zeros that are padded are no constants.
        silent = (idle.places & (idle.values == 0)).reshape(shape[0], -1).all(1)
        grouped = silent.reshape(synapse.groups, 1, -1)
        rows = np.repeat(grouped, len(weight) // synapse.groups, axis=1).reshape(len(weight), -1)
        reads = np.broadcast_to(rows[:, :, None, None], weight.shape)
    else:
        places = idle.places.reshape(-1)
        reads = places[synapse.matrix.indices] if isinstance(synapse, Sparse) else np.broadcast_to(places, weight.shape)
    if not reads.any() or not weight[~reads].any():
        return weight, 0.0
    if np.abs(weight[reads]).max() <= _IDLE_MOST * np.abs(weight[~reads]).max():
        return weight, 0.0
    bounded = np.where(reads, weight.clip(weight[~reads].min(), weight[~reads].max()), weight)
    if isinstance(synapse, Conv2d) or not idle.values.any():
        return bounded, 0.0
    taken = with_weight(synapse, weight - bounded)
    moved = replace(taken, bias=np.zeros_like(taken.bias)).apply(torch.as_tensor(idle.values)[None])
    return bounded, np.asarray(moved[0].numpy(), dtype=np.float64)


# Inputs whose weights are so many times as large as all others' get a synapse of their own, if they are few.
APART, FEW = 4.0, 0.1


def with_outliers_apart(graph: Graph) -> Graph:
    """Return the network with a synapse of their own for inputs of dense layers whose weights are by far the largest.

    A normalisation that follows a ReLU divides what hardly ever fires by its small standard deviation. Beside such
    weights all others would be coarse, as a synapse that netx loads has one scale; another synapse has its own.

    Args:
        graph: A network of spiking layers with thresholds and profiles.
    """
    graph = graph.copy()
    for node in graph.of_kind(SpikingLayer, Readout):
        op = node.op
        assert isinstance(op, SpikingLayer | Readout)
        unit = op.threshold if isinstance(op, SpikingLayer) and op.threshold is not None else np.ones(node.shape[0])
        synapses, inputs = list(op.synapses), list(node.inputs)
        for place, (synapse, name) in enumerate(zip(op.synapses, node.inputs, strict=True)):
            source = graph[name]
            if not isinstance(synapse, Linear) or not isinstance(source.op, SpikingLayer):
                continue
            assert source.op.threshold is not None
            weight = normalized_weight(synapse, unit, source.op.threshold, source.shape)
            idle = silent(source)
            sizes = np.abs(weight).max(0) if idle is None else np.abs(weight).max(0) * ~idle.places.reshape(-1)
            apart = _outliers(sizes)
            if apart.any():
                synapses[place] = replace(synapse, weight=np.where(apart, 0.0, synapse.weight))
                matrix = csr_matrix(np.where(apart, synapse.weight, 0.0))
                synapses.append(Sparse(matrix, np.zeros(node.shape), node.shape, source.shape))
                inputs.append(name)
        if len(synapses) > len(op.synapses):
            graph.replace(node.name, replace(op, synapses=tuple(synapses)), tuple(inputs))
    return graph


def _outliers(sizes: FloatArray) -> NDArray[np.bool_]:
    """Return which of some sizes are far larger than all others, if they are few; else none."""
    order = np.argsort(-sizes, kind="stable")
    few = int(FEW * len(sizes))
    ratios = sizes[order[0]] / np.maximum(sizes[order[1 : few + 1]], 1e-30) if few else np.zeros(1)
    found = np.zeros(len(sizes), bool)
    if len(ratios) and ratios.max() >= APART and sizes[order[int(ratios.argmax()) + 1]] > 0:
        # Each that is taken apart makes the others finer; the last ones hardly any more.
        count = int((ratios < ratios.max() / 2).sum()) + 1
        found[order[:count]] = True
    return found


def silent(node: Node) -> Idle | None:
    """Return which channels of a layer never fire in the calibration data; None where all do, or none."""
    if not isinstance(node.op, SpikingLayer) or node.op.profile is None:
        return None
    never = node.op.profile.drive_maximum <= 0
    whole = np.broadcast_to(per_channel(never, len(node.shape)), node.shape)
    return Idle(whole, np.zeros(node.shape)) if never.any() and not never.all() else None


def with_weight(synapse: Weighted, weight: FloatArray) -> Weighted:
    """Return an operation with other weights, for a sparse one those of its entries."""
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = weight
        return replace(synapse, matrix=matrix)
    return replace(synapse, weight=weight)


def normalized_bias(synapses: tuple[Weighted, ...], axes: int) -> FloatArray:
    """Return the sum of the biases, shaped to be added to a layer with that many axes."""
    biases = [synapse.bias_map() for synapse in synapses]
    total = sum(biases[1:], start=biases[0])
    return per_channel(total, axes) if total.ndim < axes else total


def has_netx_form(synapse: Weighted) -> bool:
    """Return whether netx can load such a synapse, as the first of a layer."""
    return isinstance(synapse, Conv2d | Linear)


def as_synapse(synapse: Weighted, weight: AnyIntegerArray, source: int, exponent: int = 0) -> Synapse:
    """Return the operation's connections with other weights.

    Args:
        synapse: The operation.
        weight: In the shape of its weights; for a sparse one those of its entries.
        source: Index of the layer that it reads.
        exponent: Of all weights.
    """
    if isinstance(synapse, Linear):
        return Synapse(source, "dense", weight, exponent=exponent)
    if isinstance(synapse, Sparse):
        entries = Entries(synapse.matrix.indptr.astype(np.int32), synapse.matrix.indices.astype(np.int32))
        return Synapse(source, "sparse", weight, exponent=exponent, entries=entries)
    return Synapse(
        source,
        "conv",
        weight,
        synapse.stride,
        synapse.padding,
        synapse.dilation,
        synapse.groups,
        exponent,
    )
