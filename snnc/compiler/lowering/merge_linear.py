"""Leaving a sum of linear operations, and nothing else, between any two populations of neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snnc.common.errors import UnsupportedError
from snnc.compiler.ir import (
    Add,
    Conv2d,
    Flatten,
    Graph,
    Input,
    Linear,
    Node,
    Output,
    Relay,
    ReLU,
    Shape,
    Sparse,
    SpikeMax2d,
    Weighted,
)
from snnc.compiler.ir.passes import Figures, Outcome, Pass, PassResult
from snnc.compiler.lowering.compose import composed, into_linear


@dataclass(frozen=True, eq=False)
class Term:
    """One linear operation of a sum.

    Attributes:
        op: The operation, everything up to the sum folded into it.
        source: The node that it reads: the input, or one that becomes neurons.
        name: Of the last node that was folded into it.
        modules: Of all of them.
    """

    op: Weighted
    source: str
    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Blocked:
    """A node whose input cannot be folded into it.

    Attributes:
        node: The node.
        first: What it reads.
        form: The form of that.
        reason: Why not, to be read after the name of ``first``.
    """

    node: str
    first: str
    form: tuple[Term, ...]
    reason: str


# Weights that a linear layer may grow to by what is folded into it: a gigabyte of them in double precision. Beyond,
# compiling takes more memory than machines have, and a chip more synapses than the neurons that avoid them.
LINEAR_WEIGHTS_MAXIMUM = 1 << 27

# What a node is as a sum over neurons; for a node that becomes neurons itself, or the input, its own name.
Form = tuple[Term, ...] | str


def linear_forms(graph: Graph) -> dict[str, Form] | Blocked:
    """Return the form of each node, in topological order; or the first node for which there is none."""
    forms: dict[str, Form] = {}
    for node in graph:
        match node.op:
            case Flatten():
                forms[node.name] = forms[node.inputs[0]]
            case Add():
                terms = [term for each in node.inputs for term in as_terms(graph, forms[each])]
                forms[node.name] = _summed(graph, terms, node)
            case Conv2d() | Linear() | Sparse():
                form = forms[node.inputs[0]]
                if isinstance(form, str):
                    forms[node.name] = (Term(node.op, form, node.name, node.modules),)
                    continue
                weights = _weights_grown(graph, form, node)
                if weights > LINEAR_WEIGHTS_MAXIMUM and never_negative(form):
                    reason = f"would make a matrix of {weights:,} weights of {node.where}"
                    return Blocked(node.name, _before_flatten(graph, node.inputs[0]), form, reason)
                folded = _folded(graph, form, node)
                if folded is None:
                    return Blocked(node.name, node.inputs[0], form, f"does not fold into {node.where} exactly")
                forms[node.name] = folded
            case _:
                forms[node.name] = node.name
    return forms


def as_terms(graph: Graph, form: Form) -> tuple[Term, ...]:
    """Return a form as a sum: what fires is itself times one."""
    if isinstance(form, str):
        return (Term(identity(graph[form].shape), form, form, ()),)
    return form


def identity(shape: Shape) -> Weighted:
    """Return the linear operation that changes nothing."""
    channels = shape[0]
    if len(shape) == 1:
        return Linear(np.eye(channels), np.zeros(channels))
    return Conv2d(np.ones((channels, 1, 1, 1)), np.zeros(channels), groups=channels)


def never_negative(form: tuple[Term, ...]) -> bool:
    """Return whether a sum over neurons cannot be negative, so that a ReLU would not change it."""
    weights = (term.op.matrix.data if isinstance(term.op, Sparse) else term.op.weight for term in form)
    return all(weight.min(initial=0) >= 0 for weight in weights) and all(term.op.bias.min() >= 0 for term in form)


def _weights_grown(graph: Graph, form: tuple[Term, ...], node: Node) -> int:
    """Count the weights of a linear layer with a sum folded in; 0 where these are no more, or it is no such layer."""
    if not isinstance(node.op, Linear):
        return 0
    outputs, _ = node.op.weight.shape
    weights = outputs * sum(math.prod(graph[term.source].shape) for term in form)
    return weights if weights > node.op.weight.size else 0


def _before_flatten(graph: Graph, name: str) -> str:
    """Return what a flatten reads; any other node itself."""
    node = graph[name]
    return _before_flatten(graph, node.inputs[0]) if isinstance(node.op, Flatten) else name


def _folded(graph: Graph, form: tuple[Term, ...], node: Node) -> tuple[Term, ...] | None:
    """Return a linear operation after a sum: after each of its terms, its own bias counted once."""
    assert isinstance(node.op, Conv2d | Linear | Sparse)
    terms = []
    for index, term in enumerate(form):
        second = node.op if not index else replace(node.op, bias=np.zeros_like(node.op.bias))
        op = composed(term.op, second, graph[term.source].shape)
        if op is None:
            return None
        terms.append(Term(op, term.source, node.name, tuple(dict.fromkeys((*term.modules, *node.modules)))))
    return tuple(terms)


def _summed(graph: Graph, terms: list[Term], node: Node) -> tuple[Term, ...]:
    """Return the terms of a sum, of one shape, those that can be added up added up."""
    shapes = [term.op.output_shape(graph[term.source].shape) for term in terms]
    result: list[Term] = []
    for term, shape in zip(terms, shapes, strict=True):
        # Where an image meets features it was flattened before.
        flat = shape if len(set(shapes)) == 1 else node.shape
        op = term.op if shape == flat else into_linear(term.op, _eye(flat[0]), graph[term.source].shape)
        current = replace(term, op=op)
        for place, earlier in enumerate(result):
            total = _total(earlier.op, op) if earlier.source == term.source else None
            if total is not None:
                modules = tuple(dict.fromkeys((*earlier.modules, *term.modules)))
                result[place] = replace(earlier, op=total, modules=modules)
                break
        else:
            result.append(current)
    return tuple(result)


def _eye(features: int) -> Linear:
    return Linear(np.eye(features), np.zeros(features))


def _total(one: Weighted, other: Weighted) -> Weighted | None:
    """Return two operations on the same input as one, where that costs no further entry."""
    if isinstance(one, Sparse) and isinstance(other, Sparse):
        return replace(one, matrix=(one.matrix + other.matrix).tocsr(), bias=one.bias + other.bias)
    if isinstance(one, Linear) and isinstance(other, Linear):
        return Linear(one.weight + other.weight, one.bias + other.bias)
    if not (isinstance(one, Conv2d) and isinstance(other, Conv2d)) or one.weight.shape != other.weight.shape:
        return None
    if any(getattr(one, each) != getattr(other, each) for each in ("stride", "padding", "dilation", "groups")):
        return None
    bias = one.bias + other.bias if one.bias.ndim == other.bias.ndim else one.bias_map() + other.bias_map()
    return replace(one, weight=one.weight + other.weight, bias=bias)


# What becomes neurons, or is the input.
NEURONS = (Input, ReLU, SpikeMax2d, Relay)


@dataclass(frozen=True)
class OwnLayer:
    """A linear operation that spikes by itself.

    Attributes:
        where: The operation.
        reason: Why it was not merged.
    """

    where: str
    reason: str


@dataclass(frozen=True)
class Merged(Outcome):
    """What was merged.

    Attributes:
        folded: Operations that are gone.
        own_layers: Those that spike by themselves instead.
    """

    folded: int
    own_layers: tuple[OwnLayer, ...]

    @property
    def figures(self) -> Figures:
        """Both numbers."""
        return {"folded": self.folded, "own_layers": len(self.own_layers)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        return tuple(f"{each.where}: {each.reason}, so it spikes by itself" for each in self.own_layers)


class MergeLinear(Pass):
    """Composes linear operations that follow each other without a ReLU, through sums as well.

    1. Behind the last ReLU, a flatten before the output gets an identity matrix, so that rule 2 can take it.
    2. Anything linear before a linear layer, through a flatten or not, is folded into its matrix, unless that would
       grow beyond :data:`~snnc.compiler.lowering.merge_linear.LINEAR_WEIGHTS_MAXIMUM` weights.
    3. A convolution (pooling is one) before a convolution is folded into its kernel where that is exact, else the two
       become the entries of their product, where these are not too many.
    4. What stands before a sum is folded into what comes after it: a sum becomes one operation for each population
       that it reads, and costs no neuron.
    5. Where rules 2 to 4 do not help, what cannot be negative is not changed by a ReLU, so it gets one: average
       pooling, or the maximum of two neurons, becomes a spiking layer of its own.
    6. Anything else is refused.
    """

    title = "merging linear operations"

    def run(self, graph: Graph) -> PassResult:
        """Merge until nothing but sums of linear operations on neurons is left."""
        before_all = _structure(graph)
        graph = graph.copy()
        output = graph.output
        before = graph[output.inputs[0]]
        if isinstance(before.op, Flatten):
            features = before.shape[0]
            graph.insert_after(before.name, f"{before.name}:readout", Linear(np.eye(features), np.zeros(features)))
        linear = sum(not isinstance(node.op, (*NEURONS, Output, Flatten, Add)) for node in graph)
        own = []
        while isinstance(forms := linear_forms(graph), Blocked):
            first = graph[forms.first]
            _check_positive(graph, forms)
            graph.insert_after(first.name, f"{first.name}:spiking", ReLU(stands_for=first.name), modules=first.modules)
            own.append(OwnLayer(first.where, forms.reason))
        merged, left = _rebuilt(graph, forms)
        return PassResult(merged, _structure(merged) != before_all, Merged(max(0, linear - left), tuple(own)))


def _structure(graph: Graph) -> list[tuple[str, tuple[str, ...], int]]:
    """Return what tells whether anything was merged: nodes, connections, and the operations by their identity."""
    return [(node.name, node.inputs, id(node.op)) for node in graph]


def _rebuilt(graph: Graph, forms: dict[str, Form]) -> tuple[Graph, int]:
    """Return the graph of the forms that neurons and the output read, and how many linear operations it has."""
    new = Graph()
    count = 0
    for node in graph:
        if not isinstance(node.op, (*NEURONS, Output)):
            continue
        inputs = []
        for source in node.inputs:
            form = forms[source]
            if isinstance(form, str):
                inputs.append(form)
                continue
            names = []
            for term in form:
                name = new.free_name(term.name if term.modules else f"{term.source}:{node.name}")
                new.add(name, term.op, (term.source,), modules=term.modules)
                names.append(name)
            count += len(names)
            if len(names) > 1:
                total = new.free_name(f"{node.name}:sum")
                new.add(total, Add(), tuple(names), modules=graph[source].modules)
                names = [total]
            inputs += names
        new.add(node.name, node.op, tuple(inputs), modules=node.modules)
    return new, count


def _check_positive(graph: Graph, blocked: Blocked) -> None:
    """Make sure that a value is never negative, so that a ReLU after it changes nothing.

    Raises:
        UnsupportedError: It may be.
    """
    first, second = graph[blocked.first], graph[blocked.node]
    if not never_negative(blocked.form):
        raise UnsupportedError(
            f"{first.op.kind} and {second.op.kind} follow each other without a ReLU and cannot be merged exactly",
            where=f"{first.where} -> {second.where}",
            advice="put a ReLU between them, or take the padding off the second one",
        )
