"""From the compiler's graph to a network of torch modules that can be trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from snnc.common.arrays import FloatArray
from snnc.common.errors import UnsupportedError
from snnc.compiler.ir import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Graph,
    Input,
    Linear,
    MaxPool2d,
    Node,
    Output,
    ReLU,
)
from snnc.compiler.lowering.max_pooling import rectify
from snnc.compiler.lowering.simplify import DropIdentity
from snnc.models.spiking import INPUT, Concatenation, IntegrateAndFire, SpikingNetwork, Sum

__all__ = ["build_network", "trainable_graph"]


def trainable_graph(traced: Graph) -> Graph:
    """Return a traced network in the order in which a spiking one computes it: every maximum is one of spikes.

    Identities are gone, ReLUs after a maximum come before it, and ReLUs that change nothing are gone.

    Raises:
        UnsupportedError: A maximum is taken of something else than activations, or an average of varying windows.
    """
    graph = DropIdentity().run(traced).graph
    for node in graph.of_kind(MaxPool2d):
        if not rectify(graph, graph[node.name]) or not _is_of_spikes(graph, graph[node.name]):
            raise UnsupportedError(
                "the maximum of something else than activations cannot be trained as one of spikes",
                where=node.where,
                expected="maximum pooling right after, or right before, an activation",
                advice="put a ReLU there, or take average pooling",
            )
    for node in graph.of_kind(ReLU):
        source = graph[node.inputs[0]]
        assert isinstance(node.op, ReLU)
        if isinstance(source.op, ReLU) and node.op.keeps(source.op):
            graph.remove(node.name)
    return graph


def build_network(
    graph: Graph, neurons: Mapping[str, tuple[FloatArray, FloatArray]], timesteps: int, lead: int = 0
) -> SpikingNetwork:
    """Return the network with integrate-and-fire neurons in place of its ReLUs.

    Weights of convolutions, linear layers and batch normalisations are trainable; what was traced as a convolution but
    only moves values, such as a slice, is not.

    Args:
        graph: As :func:`trainable_graph` gives it.
        neurons: For each ReLU Vth and v0 of its channels.
        timesteps: T.
        lead: Steps that each population integrates before it may fire.

    Raises:
        UnsupportedError: An operation cannot be trained; the message names it.
    """
    parts: dict[str, nn.Module] = {}
    reads: dict[str, list[str]] = {}
    names = {graph.input.name: INPUT}
    for node in graph:
        if isinstance(node.op, Input | Output):
            continue
        names[node.name] = node.name
        reads[node.name] = [names[each] for each in node.inputs]
        if isinstance(node.op, ReLU):
            threshold, potential = (torch.from_numpy(np.asarray(each)) for each in neurons[node.name])
            parts[node.name] = IntegrateAndFire(threshold, potential, timesteps)
            continue
        if isinstance(node.op, Linear) and len(graph[node.inputs[0]].shape) > 1:
            flatten = graph.free_name(f"{node.name}.flatten")
            parts[flatten], reads[flatten] = nn.Flatten(), reads[node.name]
            reads[node.name] = [flatten]
        parts[node.name] = _part(graph, node)
    return SpikingNetwork(parts, reads, timesteps, lead)


def _is_of_spikes(graph: Graph, node: Node) -> bool:
    """Return whether a value consists of what neurons send, each by itself."""
    sources = [graph[each] for each in node.inputs]
    return all(
        isinstance(each.op, ReLU) or (isinstance(each.op, Concat | MaxPool2d) and _is_of_spikes(graph, each))
        for each in sources
    )


def _part(graph: Graph, node: Node) -> nn.Module:
    match node.op:
        case Conv2d():
            return _convolution(graph, node, node.op)
        case ConvTranspose2d():
            return _transposed(node.op)
        case Linear():
            outputs, inputs = node.op.weight.shape
            return _with_weights(nn.Linear(inputs, outputs), node.op.weight, node.op.bias)
        case BatchNorm():
            return _batch_norm(node)
        case AvgPool2d():
            return nn.AvgPool2d(node.op.kernel, node.op.stride, node.op.padding)
        case MaxPool2d():
            return nn.MaxPool2d(node.op.kernel, node.op.stride, node.op.padding)
        case Add():
            return Sum()
        case Concat():
            return Concatenation()
        case Flatten():
            return nn.Flatten()
    raise UnsupportedError(
        f"{node.op.kind} cannot be trained",
        where=node.where,
        expected="convolutions, linear layers, batch normalisation, sums, concatenations, pooling with even windows",
    )


def _convolution(graph: Graph, node: Node, op: Conv2d) -> nn.Module:
    if op.bias.ndim != 1:
        raise UnsupportedError("a convolution with a bias for each neuron cannot be trained", where=node.where)
    # What batch normalisation takes off again is left out, unless there is something to start from.
    followed = any(isinstance(each.op, BatchNorm) for each in graph.consumers(node.name))
    outputs, inputs, height, width = op.weight.shape
    fixed = _only_moves(op)
    convolution = nn.Conv2d(
        inputs * op.groups,
        outputs,
        (height, width),
        op.stride,
        op.padding,
        op.dilation,
        op.groups,
        bias=bool(op.bias.any()) or not (followed or fixed),
    )
    _with_weights(convolution, op.weight, op.bias)
    return convolution.requires_grad_(not fixed)


def _transposed(op: ConvTranspose2d) -> nn.Module:
    inputs, outputs, height, width = op.weight.shape
    transposed = nn.ConvTranspose2d(
        inputs,
        outputs * op.groups,
        (height, width),
        op.stride,
        op.padding,
        op.output_padding,
        op.groups,
        dilation=op.dilation,
    )
    return _with_weights(transposed, op.weight, op.bias)


def _batch_norm(node: Node) -> nn.Module:
    op = node.op
    assert isinstance(op, BatchNorm)
    kind = nn.BatchNorm2d if len(node.shape) == 3 else nn.BatchNorm1d
    norm = kind(len(op.mean), eps=op.epsilon)
    with torch.no_grad():
        for tensor, values in (
            (norm.weight, op.weight),
            (norm.bias, op.bias),
            (norm.running_mean, op.mean),
            (norm.running_var, op.variance),
        ):
            assert isinstance(tensor, Tensor)
            tensor.copy_(torch.from_numpy(values))
    return norm


def _with_weights(
    module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, weight: FloatArray, bias: FloatArray
) -> nn.Module:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
        if module.bias is not None:
            module.bias.copy_(torch.from_numpy(bias))
    return module


def _only_moves(op: Conv2d) -> bool:
    """Return whether each output is one input as it is, or 0."""
    ones = (op.weight == 1).sum(axis=(1, 2, 3))
    return not op.bias.any() and bool((ones <= 1).all()) and int(ones.sum()) == np.count_nonzero(op.weight)
