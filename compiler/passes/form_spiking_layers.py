"""From ReLUs to populations of spiking neurons."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import (
    Conv2d,
    Flatten,
    Graph,
    Input,
    Linear,
    Node,
    Output,
    Readout,
    ReLU,
    Shape,
    SpikingLayer,
    Weighted,
)
from snnc.compiler.passes.conditions import spiking
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError


class FormSpikingLayers(Pass):
    """Turns each ReLU with the linear operation before it into one ``SpikingLayer``, the end into a ``Readout``.

    1. A ReLU behind a ReLU is dropped, if it changes nothing (one with a smaller bound does).
    2. A ReLU, or the output, that reads something else than a linear operation gets an identity: a 1x1 kernel for
       each channel, or the identity matrix.
    3. A spiking layer reads spiking layers or the input; flattens vanish, since a linear layer reads its source
       channel first whatever its shape.
    4. The layer takes the name of the node whose value its rate stands for: the ReLU's, or that of the pooling which
       spikes by itself; the readout that of the last linear operation.
    """

    title = "forming spiking layers"
    ensures = (spiking,)

    def run(self, graph: Graph) -> PassResult:
        """Builds the new graph in the order of the old one."""
        new = Graph()
        names: dict[str, str] = {}
        for node in graph:
            match node.op:
                case Input():
                    new.add(node.name, node.op, modules=node.modules)
                    names[node.name] = node.name
                case Flatten():
                    names[node.name] = names.get(node.inputs[0], node.inputs[0])
                case ReLU():
                    source = graph.value_read_by(node)
                    if isinstance(source.op, ReLU) and node.op.keeps(source.op):
                        names[node.name] = names[source.name]
                        continue
                    synapse, reads = _synapse(graph, source)
                    name = node.name.removesuffix(":spiking")
                    modules = tuple(dict.fromkeys((*_modules(source), *node.modules)))
                    new.add(name, SpikingLayer((synapse,), activation=node.op), (names[reads],), modules=modules)
                    names[node.name] = name
                case Output():
                    source = graph.value_read_by(node)
                    synapse, reads = _synapse(graph, source)
                    name = source.name if isinstance(source.op, Conv2d | Linear) else f"{source.name}:readout"
                    new.add(name, Readout((synapse,)), (names[reads],), modules=_modules(source))
                    new.add(node.name, node.op, (name,), modules=node.modules)
        if not new.of_kind(SpikingLayer):
            raise UnsupportedError(
                "the network has no ReLU, so nothing would spike",
                expected="at least one ReLU",
                advice="snnc converts rectified networks",
            )
        return PassResult(new, True, {"layers": len(new.of_kind(SpikingLayer))})


def _modules(source: Node) -> tuple[str, ...]:
    return source.modules if isinstance(source.op, Conv2d | Linear) else ()


def _synapse(graph: Graph, source: Node) -> tuple[Weighted, str]:
    """The linear operation of a layer and the node that it reads."""
    if isinstance(source.op, Conv2d | Linear):
        return source.op, source.inputs[0]
    return identity(source.shape), source.name


def identity(shape: Shape) -> Weighted:
    """The linear operation that changes nothing."""
    channels = shape[0]
    if len(shape) == 1:
        return Linear(np.eye(channels), np.zeros(channels))
    return Conv2d(np.ones((channels, 1, 1, 1)), np.zeros(channels), groups=channels)
