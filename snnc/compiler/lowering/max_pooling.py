"""Maximum pooling for neurons that can only add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from snnc.common.arrays import FloatArray
from snnc.common.errors import UnsupportedError
from snnc.compiler.ir import (
    Add,
    Affine,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Graph,
    Identity,
    MaxPool2d,
    Node,
    ReLU,
    SpikeMax2d,
)
from snnc.compiler.ir.passes import Counts, Pass, PassResult, without

MaxPooling = Literal["or", "exact", "avg"]
MAX_POOLINGS: tuple[MaxPooling, ...] = get_args(MaxPooling)


class LowerMaxPooling(Pass):
    """Writes every maximum pooling in one of three ways.

    - ``or``: one memoryless population that fires when any neuron of its window does. Cheap; its rate is too high where
      the spikes of a window do not coincide.
    - ``exact``: ``max(a, b) = a + relu(b - a)``, as a tournament: n values take n - 1 neurons in log2 n layers, for a
      window of 2x2 three neurons in two layers. The maximum itself is a sum, which folds into what reads it.
    - ``avg``: average pooling in its place, which is another network; for those who train on.

    1. Where only a ReLU reads the maximum, it moves in front of it: ``relu(max(x)) = max(relu(x))``, as for every
       function that never falls.
    2. ``or`` after a concatenation becomes the concatenation of several; after anything else that is not a population
       it gets one, where the value cannot be negative.
    3. A normalisation before a maximum, none of whose factors is negative, moves behind it: where a ReLU comes before
       both, the maximum is then one of rates.
    4. Padding is never the maximum. Behind a ReLU zeros are as good, elsewhere padded windows are refused.

    Args:
        choices: The way for each maximum pooling, by the name of its node.
    """

    title = "writing maximum pooling for spikes"
    ensures = (without(MaxPool2d),)
    acts_on = (MaxPool2d,)

    def __init__(self, choices: Mapping[str, MaxPooling]) -> None:
        self._choices = choices

    def run(self, graph: Graph) -> PassResult:
        """Replace the nodes."""
        graph = graph.copy()
        choices = dict(self._choices)
        count = 0
        while nodes := graph.of_kind(MaxPool2d):
            node = nodes[0]
            count += 1
            choice = choices[node.name]
            if choice == "avg":
                assert isinstance(node.op, MaxPool2d)
                graph.replace(node.name, AvgPool2d(node.op.kernel, node.op.stride, node.op.padding))
                continue
            node = _without_normalisation(graph, node)
            rectified = rectify(graph, node)
            if choice == "or":
                _fire_together(graph, graph[node.name], rectified=rectified)
            else:
                _play_off(graph, graph[node.name], rectified=rectified)
        return PassResult(graph, count > 0, Counts({"pooling": count}))


def can_fire_together(graph: Graph, node: Node) -> bool:
    """Return whether ``or`` can stand for a maximum pooling: what it reads is never negative, or one ReLU follows."""
    return is_rectified(graph, _compared(graph, node)) or _only_a_relu_reads(graph, node)


def last_node_moved(graph: Graph, node: Node) -> Node:
    """Return the last node that lowering a maximum pooling may move: the pooling, or a ReLU after it."""
    if is_rectified(graph, _compared(graph, node)) or not _only_a_relu_reads(graph, node):
        return node
    return graph.consumers(node.name)[0]


def is_rectified(graph: Graph, name: str) -> bool:
    """Return whether a value cannot be negative, as far as the operations before it tell without their weights."""
    node = graph[name]
    match node.op:
        case ReLU() | SpikeMax2d():
            return True
        case AvgPool2d() | MaxPool2d() | Identity() | Add() | Concat():
            return all(is_rectified(graph, each) for each in node.inputs)
    return False


def _only_a_relu_reads(graph: Graph, node: Node) -> bool:
    readers = graph.consumers(node.name)
    return len(readers) == 1 and isinstance(readers[0].op, ReLU)


def _compared(graph: Graph, node: Node) -> str:
    """Return the values of which a maximum is taken, before a normalisation that it may trade places with."""
    source = graph[node.inputs[0]]
    while isinstance(source.op, BatchNorm | Affine) and len(graph.consumers(source.name)) == 1:
        affine = source.op.as_affine() if isinstance(source.op, BatchNorm) else source.op
        if (affine.scale < 0).any():
            break
        source = graph[source.inputs[0]]
    return source.name


def _without_normalisation(graph: Graph, node: Node) -> Node:
    """Move normalisations before a maximum behind it (rule 3), in place, and return the maximum.

    The value keeps the name of the maximum: whoever reads it, or asks for it, gets the normalised one.
    """
    compared = _compared(graph, node)
    moved = []
    source = graph[node.inputs[0]]
    while source.name != compared:
        moved.append(source)
        source = graph[source.inputs[0]]
    if not moved or not is_rectified(graph, compared):
        return node
    name = graph.free_name(f"{node.name}:maximum")
    graph.add(name, node.op, (compared,), modules=node.modules)
    # All but the last, which takes the place of the maximum.
    before = name
    for each in reversed(moved[1:]):
        graph.replace(each.name, each.op, (before,))
        before = each.name
    graph.replace(node.name, moved[0].op, (before,), absorbed=moved[0].modules)
    graph.remove_unread()
    return graph[name]


def rectify(graph: Graph, node: Node) -> bool:
    """Move a ReLU after a maximum in front of it (rule 1), in place.

    Args:
        graph: The network.
        node: A ``MaxPool2d`` of it.

    Returns:
        Whether the maximum's input cannot be negative.
    """
    (source,) = node.inputs
    if is_rectified(graph, source):
        return True
    if not _only_a_relu_reads(graph, node):
        return False
    (first,) = graph.consumers(node.name)
    name = graph.free_name(f"{first.name}:before")
    graph.add(name, first.op, (source,), modules=first.modules)
    graph.remove(first.name)
    graph.replace(node.name, node.op, (name,))
    return True


def _fire_together(graph: Graph, node: Node, *, rectified: bool) -> None:
    assert isinstance(node.op, MaxPool2d)
    if not rectified:
        raise UnsupportedError(
            "the maximum of values that may be negative cannot be taken by spikes",
            where=node.where,
            expected="a ReLU before or after the pooling",
            advice="put a ReLU there, or choose --max-pool exact",
        )
    pooling = SpikeMax2d(node.op.kernel, node.op.stride, node.op.padding)
    source = graph[node.inputs[0]]
    if isinstance(source.op, Concat):
        parts = []
        for each in source.inputs:
            name = graph.free_name(f"{node.name}:{each}")
            graph.add(name, MaxPool2d(node.op.kernel, node.op.stride, node.op.padding), (each,), modules=node.modules)
            parts.append(name)
        graph.replace(node.name, Concat(), tuple(parts))
        for name in parts:
            _fire_together(graph, graph[name], rectified=True)
        return
    if isinstance(source.op, ReLU | SpikeMax2d):
        graph.replace(node.name, pooling)
        return
    spiking = f"{source.name}:spiking"
    name = graph.free_name(spiking)
    # Of two populations that give back the same value, the first stands for it.
    graph.add(name, ReLU(stands_for=source.name if name == spiking else None), (source.name,), modules=source.modules)
    graph.replace(node.name, pooling, (name,))


def _play_off(graph: Graph, node: Node, *, rectified: bool) -> None:
    """Build the tournament.

    A contestant is ``window . x + sum over levels l of wins[l] . p[l]``, with x the values of the window and p[l] what
    the population of level l gives. Of two contestants a and b the next level's neuron gives ``relu(b - a)``, and the
    winner is a plus that.
    """
    pool = node.op
    assert isinstance(pool, MaxPool2d)
    if any(pool.padding) and not rectified:
        raise UnsupportedError(
            "maximum pooling with padding of values that may be negative",
            where=node.where,
            expected="a ReLU before or after the pooling, or padding=0",
            advice="put a ReLU before it",
        )
    (source,) = node.inputs
    channels = node.shape[0]
    contestants: list[list[FloatArray]] = [[row] for row in np.eye(pool.kernel[0] * pool.kernel[1])]
    levels: list[str] = []

    def total(name: str, parts: list[FloatArray]) -> None:
        """Add the node that sums contributions of (outputs, values of the window or neurons of a level)."""
        terms = []
        for index, part in enumerate(parts):
            if not part.any():
                continue
            outputs = len(part)
            window = pool.kernel if not index else (1, 1)
            inside = 1 if not index else part.shape[1]
            weight = np.tile(part.reshape(outputs, inside, *window), (channels, 1, 1, 1))
            stride, padding = (pool.stride, pool.padding) if not index else ((1, 1), (0, 0))
            convolution = Conv2d(weight, np.zeros(outputs * channels), stride, padding, groups=channels)
            term = graph.free_name(f"{name}:{index}")
            graph.add(term, convolution, (source if not index else levels[index - 1],), modules=node.modules)
            terms.append(term)
        if name in graph:
            graph.replace(name, Add(), tuple(terms))
        else:
            graph.add(name, Add(), tuple(terms), modules=node.modules)

    while len(contestants) > 1:
        pairs = list(zip(contestants[::2], contestants[1::2], strict=False))
        left = contestants[-1:] if len(contestants) % 2 else []
        level = f"{node.name}:level{len(levels) + 1}"
        difference = f"{level}:difference"
        parts = range(len(levels) + 1)
        total(difference, [np.stack([second[part] - first[part] for first, second in pairs]) for part in parts])
        graph.add(level, ReLU(), (difference,), modules=node.modules)
        levels.append(level)
        wins = np.eye(len(pairs))
        contestants = [[*a, win] for (a, _), win in zip(pairs, wins, strict=True)]
        contestants += [[*each, np.zeros(len(pairs))] for each in left]
    total(node.name, [part[None] for part in contestants[0]])
