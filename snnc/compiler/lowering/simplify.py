"""Taking out what changes nothing, and writing pooling, transposed convolutions and joins as linear operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.common.arrays import per_channel
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
    Identity,
    Linear,
    Node,
    Output,
    ReLU,
    Shape,
    Softmax,
    Sparse,
    Weighted,
)
from snnc.compiler.ir.passes import Counts, Figures, Outcome, Pass, PassResult, without
from snnc.compiler.ir.spec import TRACED
from snnc.program.connections import convolution_matrix


@dataclass(frozen=True)
class Dropped(Outcome):
    """What was taken out of a network.

    Attributes:
        count: Number of nodes.
        softmaxes: Where softmaxes at the output were.
    """

    count: int
    softmaxes: tuple[str, ...]

    @property
    def figures(self) -> Figures:
        """The number of nodes."""
        return {"dropped": self.count}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        return tuple(
            f"{where}: the softmax at the output was taken off, the readout gives logits" for where in self.softmaxes
        )


class DropIdentity(Pass):
    """Removes dropout and identities, and a softmax at the very end.

    1. ``Identity`` (``nn.Identity``, ``nn.Dropout``) does nothing at inference.
    2. ``Softmax`` before the output keeps the order of the classes: the readout then gives logits, and a note says so.
       So it is over the channels of an image, even where one of a single pixel is flattened behind it. A softmax
       anywhere else is refused.
    """

    title = "dropping what changes nothing"
    requires = (TRACED,)
    ensures = (without(Softmax),)
    acts_on = (Identity, Softmax)

    def run(self, graph: Graph) -> PassResult:
        """Remove the nodes."""
        graph = graph.copy()
        dropped = 0
        softmaxes = []
        # Identities first: one after a softmax does not put it inside the network.
        for node in (*graph.of_kind(Identity), *graph.of_kind(Softmax)):
            if isinstance(node.op, Output):
                continue
            if isinstance(node.op, Softmax):
                if not _decides(graph, node):
                    raise UnsupportedError(
                        "a softmax inside the network cannot be computed by spiking neurons",
                        where=node.where,
                        advice="only a softmax at the output is taken off",
                    )
                softmaxes.append(node.where)
            graph.remove(node.name)
            dropped += 1
        return PassResult(graph, dropped > 0, Dropped(dropped, tuple(softmaxes)))


def _decides(graph: Graph, node: Node) -> bool:
    """Return whether a softmax is the last thing that computes: the output reads it, or its channels flattened."""
    return all(
        isinstance(each.op, Output)
        or (isinstance(each.op, Flatten) and node.shape[1:] == (1, 1) and _decides(graph, each))
        for each in graph.consumers(node.name)
    )


class LowerPooling(Pass):
    """Writes every average pooling as the depthwise convolution that it is.

    A later pass folds it into the linear operation that follows, where that is exact, and else makes it a spiking
    layer of its own.
    """

    title = "writing average pooling as convolutions"
    ensures = (without(AvgPool2d),)
    acts_on = (AvgPool2d,)

    def run(self, graph: Graph) -> PassResult:
        """Replace the nodes."""
        graph = graph.copy()
        nodes = graph.of_kind(AvgPool2d)
        for node in nodes:
            pool = node.op
            assert isinstance(pool, AvgPool2d)
            channels, (height, width) = node.shape[0], pool.kernel
            weight = np.full((channels, 1, height, width), 1 / (height * width))
            convolution = Conv2d(weight, np.zeros(channels), pool.stride, pool.padding, groups=channels)
            graph.replace(node.name, convolution)
        return PassResult(graph, bool(nodes), Counts({"pooling": len(nodes)}))


class LowerTransposed(Pass):
    """Writes every transposed convolution entry by entry, since neither netx nor Lava has one."""

    title = "writing transposed convolutions as sparse weights"
    ensures = (without(ConvTranspose2d),)
    acts_on = (ConvTranspose2d,)

    def run(self, graph: Graph) -> PassResult:
        """Replace the nodes."""
        graph = graph.copy()
        nodes = graph.of_kind(ConvTranspose2d)
        for node in nodes:
            assert isinstance(node.op, ConvTranspose2d)
            graph.replace(node.name, transposed(node.op, graph[node.inputs[0]].shape))
        return PassResult(graph, bool(nodes), Counts({"transposed": len(nodes)}))


def transposed(op: ConvTranspose2d, shape: Shape) -> Sparse:
    """Return the operation entry by entry.

    Args:
        op: A transposed convolution.
        shape: Shape of its input.
    """
    output = op.output_shape(shape)
    # Its kernel, read as a convolution's, leads from the output's shape back to the input's.
    forward = convolution_matrix(
        op.weight, output, stride=op.stride, padding=op.padding, dilation=op.dilation, groups=op.groups
    )
    matrix = forward.T.tocsr()
    bias = np.broadcast_to(per_channel(op.bias, len(output)), output).copy()
    return Sparse(matrix, bias, output, shape)


class LowerConcatenation(Pass):
    """Writes every concatenation as the sum of its inputs, each put at its channels among zeros.

    The maps that do so fold into the linear operations around them, so that nothing of a concatenation is left but a
    synapse from each input.

    Where a ReLU follows, perhaps behind a batch normalisation, each synapse leads to the channels of one input and has
    zeros for all others. DenseNets have hundreds of these, which hold twenty times as many zeros as weights. Where they
    are more than :data:`ZEROS_MAXIMUM`, normalisation and ReLU move in front of the concatenation, and become a
    population for each input.
    """

    title = "writing concatenations as sums"
    ensures = (without(Concat),)
    acts_on = (Concat,)

    def run(self, graph: Graph) -> PassResult:
        """Replace the nodes."""
        graph = graph.copy()
        if sum(_zeros(graph, node) for node in graph.of_kind(Concat) if _activation(graph, node)) > ZEROS_MAXIMUM:
            for node in graph.of_kind(Concat):
                _activate_inputs(graph, node)
        nodes = graph.of_kind(Concat)
        for node in nodes:
            first = 0
            placed = []
            for source in node.inputs:
                shape = graph[source].shape
                name = graph.free_name(f"{node.name}:{source}")
                graph.add(name, _placed(shape, first, node.shape), (source,), modules=node.modules)
                placed.append(name)
                first += shape[0]
            graph.replace(node.name, Add(), tuple(placed))
        return PassResult(graph, bool(nodes), Counts({"concatenations": len(nodes)}))


# Of synapses: 128 MiB in double precision, of which compiling holds several copies.
ZEROS_MAXIMUM = 1 << 24


def _activation(graph: Graph, node: Node) -> tuple[Node, ...]:
    """Return what activates a concatenation: a ReLU, perhaps behind a batch normalisation; nothing else reads it."""
    found: list[Node] = []
    while len(readers := graph.consumers((found[-1] if found else node).name)) == 1:
        (reader,) = readers
        found.append(reader)
        # One threshold, or none, is the same for each part.
        if type(reader.op) is ReLU:
            return tuple(found)
        if not isinstance(reader.op, BatchNorm):
            break
    return ()


def _zeros(graph: Graph, node: Node) -> int:
    """Return how many zeros the synapses of a concatenation that is activated hold."""
    channels, total = node.shape[0], 0
    for source in node.inputs:
        op, own = graph[source].op, graph[source].shape[0]
        reads = op.weight.size // own if isinstance(op, Conv2d | Linear) else 1
        total += (channels - own) * reads
    return total


def _activate_inputs(graph: Graph, node: Node) -> None:
    """Move what activates a concatenation in front of it, in place: ``f(concat(a, b)) = concat(f(a), f(b))``."""
    steps, first = _activation(graph, node), 0
    if not steps:
        return
    parts = []
    for source in node.inputs:
        chosen = slice(first, first + graph[source].shape[0])
        name = source
        for step in steps:
            op = step.op
            if isinstance(op, BatchNorm):
                op = BatchNorm(op.mean[chosen], op.variance[chosen], op.weight[chosen], op.bias[chosen], op.epsilon)
            before, name = name, graph.free_name(f"{step.name}:{source}")
            graph.add(name, op, (before,), modules=step.modules)
        parts.append(name)
        first = chosen.stop
    graph.replace(steps[-1].name, Concat(), tuple(parts))
    graph.remove_unread()


def _placed(shape: Shape, first: int, joined: Shape) -> Weighted:
    """Return the map that puts a value's channels at ``first`` and so on among those of the joined value."""
    channels = np.arange(shape[0])
    weight = np.zeros((joined[0], shape[0]))
    weight[first + channels, channels] = 1
    if len(shape) == 1:
        return Linear(weight, np.zeros(joined[0]))
    return Conv2d(weight[:, :, None, None], np.zeros(joined[0]))
