"""How far a sigma-delta network can be from its ANN: what its rounding moves, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.ir import Conv2d, Graph, Linear, Readout, SpikingLayer
from snnc.program import SigmaDeltaLayer, SigmaDeltaProgram
from snnc.program.messages import UNIT


def error_bounds(
    graph: Graph, program: SigmaDeltaProgram, inputs: FloatArray, levels: NDArray[np.uint8], sums: Sequence[FloatArray]
) -> tuple[FloatArray, ...]:
    """Return bounds of |ANN - network| for each neuron and sample, in the ANN's units.

    With W the float weights of a layer, w its integers, u what one unit of its source's messages stands for, v what one
    unit of its sigma does, and m the sums of the messages that it received::

        drive      = |W| e + |W u - v w| m + |b - v (constants + 2^12 bias)|      e: bound of the source
        activation = drive + 64 v n + v held_back                                n: messages that a neuron may send

    |W u - v w| is at most v / 2 for each weight, since weights are rounded. A ReLU makes no difference larger. Each
    message is rounded down by less than one unit, 64 v, and layer i of the program sends at most i + 2 of them, those
    of coming to rest included. The readout sends none.

    Args:
        graph: The ANN after :func:`snnc.compiler.quantization.sigma_delta.chain.front_passes`.
        program: What was made of it.
        inputs: What the ANN sees, in levels, (samples, *input shape): ``(x - shift) / scale``, not rounded.
        levels: What the network sees.
        sums: Sums of the messages of each layer that sends, coming to rest included, (samples, *layer shape).

    Returns:
        One array for each layer of the program after the relay, (samples, *shape without the constant channel).
    """
    nodes = [node for node in graph if isinstance(node.op, SpikingLayer | Readout)]
    bound = np.abs(inputs - levels)
    bounds = []
    for index, (node, layer) in enumerate(zip(nodes, program.layers[1:], strict=True), start=1):
        assert isinstance(node.op, SpikingLayer | Readout)
        (operation,) = node.op.synapses
        assert isinstance(operation, Conv2d | Linear)
        weight = operation.dense_weight if isinstance(operation, Conv2d) else operation.weight
        source, received = program.layers[index - 1], sums[index - 1]
        unit = layer.scale / (1 if layer.is_readout else UNIT)
        unit = unit[: len(weight)]
        exact, constant = _split(source, layer)
        difference = np.abs(weight * _each_input(source, layer) - per_channel(unit, weight.ndim) * exact)
        shift = program.coding.shift / program.coding.scale if index == 1 else None
        drive = (
            _apply(np.abs(weight), layer, bound)
            + _apply(difference, layer, np.abs(received[:, : source.shape[0] - 1]))
            + np.abs(_constant_error(weight, operation.bias, shift, source, layer, unit, constant))
        )
        bound = drive
        if not layer.is_readout:
            lost = unit * (UNIT * (index + 2) + layer.held_back)
            bound = drive + per_channel(lost, drive.ndim - 1)
        bounds.append(bound)
    return tuple(bounds)


def _split(source: SigmaDeltaLayer, layer: SigmaDeltaLayer) -> tuple[FloatArray, FloatArray]:
    """Return a layer's weights from activations, and those from the constant channel; the row of constants left out."""
    weight = layer.synapse.weight.astype(np.float64)
    weight = weight[:-1] if layer.has_constant else weight
    if layer.synapse.kind == "conv":
        return weight[:, :-1], weight[:, -1:]
    values = source.neurons // source.shape[0] * (source.shape[0] - 1)
    return weight[:, :values], weight[:, values:]


def _each_input(source: SigmaDeltaLayer, layer: SigmaDeltaLayer) -> FloatArray:
    """Return what one unit of each value that a layer reads stands for, shaped to be combined with its weights."""
    unit = source.scale[:-1]
    if layer.synapse.kind == "conv":
        return per_channel(unit, 3)
    return np.repeat(unit, source.neurons // source.shape[0])


def _apply(weight: FloatArray, layer: SigmaDeltaLayer, values: FloatArray) -> FloatArray:
    """Return a layer's connections with other weights, (samples, *shape without the constant channel)."""
    tensor, synapse = torch.tensor(values), layer.synapse
    if synapse.kind == "conv":
        found = F.conv2d(tensor, torch.as_tensor(weight), None, synapse.stride, synapse.padding, synapse.dilation)
    else:
        found = F.linear(tensor.flatten(1), torch.as_tensor(weight))
    result: FloatArray = found.numpy()
    return result


def _constant_error(
    weight: FloatArray,
    bias: FloatArray,
    shift: FloatArray | None,
    source: SigmaDeltaLayer,
    layer: SigmaDeltaLayer,
    unit: FloatArray,
    constant: FloatArray,
) -> FloatArray:
    """Return what is added whatever arrives: the ANN's less the network's, (1, *shape without the constant channel)."""
    image = source.shape[1:]
    axes = len(layer.shape)
    wanted = per_channel(bias, axes)
    if shift is not None:
        plane = np.broadcast_to(per_channel(shift, len(image) + 1), (len(shift), *image))[None]
        wanted = wanted + _apply(weight, layer, plane)
    message = np.full((1, 1, *image), 1 / source.scale[-1])
    offset = per_channel(layer.offset[: len(unit)], axes)
    made: FloatArray = wanted - per_channel(unit, axes) * (_apply(constant, layer, message) + offset)
    return made
