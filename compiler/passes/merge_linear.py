"""Leaving a sum of linear operations, and nothing else, between any two populations of neurons."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import Add, Flatten, Graph, Input, Linear, Output, Relay, ReLU, SpikeMax2d
from snnc.compiler.passes.linear_forms import Blocked, Form, linear_forms, never_negative
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError

# What becomes neurons, or is the input.
NEURONS = (Input, ReLU, SpikeMax2d, Relay)


class MergeLinear(Pass):
    """Composes linear operations that follow each other without a ReLU, through sums as well.

    1. Behind the last ReLU, a flatten before the output gets an identity matrix, so that rule 2 can take it.
    2. Anything linear before a linear layer, through a flatten or not, is folded into its matrix, unless that would
       grow beyond :data:`~snnc.compiler.passes.linear_forms.LINEAR_WEIGHTS_MAXIMUM` weights.
    3. A convolution (pooling is one) before a convolution is folded into its kernel where that is exact, else the two
       become the entries of their product, where these are not too many.
    4. What stands before a sum is folded into what stands behind it: a sum becomes one operation for each population
       that it reads, and costs no neuron.
    5. Where rules 2 to 4 do not help, what cannot be negative is not changed by a ReLU, so it gets one: average
       pooling, or the maximum of two neurons, becomes a spiking layer of its own.
    6. Anything else is refused.
    """

    title = "merging linear operations"

    def run(self, graph: Graph) -> PassResult:
        """Merges until nothing but sums of linear operations on neurons is left."""
        before_all = _structure(graph)
        graph = graph.copy()
        output = graph.output
        before = graph[output.inputs[0]]
        if isinstance(before.op, Flatten):
            features = before.shape[0]
            graph.insert_after(before.name, f"{before.name}:readout", Linear(np.eye(features), np.zeros(features)))
        linear = sum(not isinstance(node.op, (*NEURONS, Output, Flatten, Add)) for node in graph)
        notes = []
        while isinstance(forms := linear_forms(graph), Blocked):
            first = graph[forms.first]
            _check_positive(graph, forms)
            graph.insert_after(first.name, f"{first.name}:spiking", ReLU(), modules=first.modules)
            notes.append(f"{first.where}: {forms.reason}, so it spikes by itself")
        merged, left = _rebuilt(graph, forms)
        stats: dict[str, int | float | str] = {"folded": max(0, linear - left), "own_layers": len(notes)}
        return PassResult(merged, _structure(merged) != before_all, stats, tuple(notes))


def _structure(graph: Graph) -> list[tuple[str, tuple[str, ...], int]]:
    """What tells whether anything was merged: nodes, connections, and the operations by their identity."""
    return [(node.name, node.inputs, id(node.op)) for node in graph]


def _rebuilt(graph: Graph, forms: dict[str, Form]) -> tuple[Graph, int]:
    """The graph of the forms that neurons and the output read, and how many linear operations it has."""
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
    """Makes sure that a value is never negative, so that a ReLU behind it changes nothing.

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
