"""The graph of a network's operations, and running it on a batch as the ANN computes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import networkx as nx
import torch

from snnc.common.errors import UnsupportedError
from snnc.compiler.ir.ops import Flatten, Input, Operation, Output, Shape
from snnc.program.layer import named_place


@dataclass(frozen=True)
class Node:
    """A node as passes see it.

    Attributes:
        name: Unique in the graph.
        op: What it computes.
        inputs: Names of the nodes that it reads, in order.
        modules: Qualified names of the PyTorch modules that went into it, e.g. ``features.3``; errors show them.
        shape: Shape of its output without the batch axis.
    """

    name: str
    op: Operation
    inputs: tuple[str, ...]
    modules: tuple[str, ...]
    shape: Shape

    @property
    def where(self) -> str:
        """What errors call it: the modules, or its own name where it was made of none."""
        return named_place(self.modules) or self.name


class Graph:
    """A directed acyclic graph of operations, built in order and changed through its methods only.

    Shapes are inferred as nodes are added or replaced, so a graph never holds a node whose inputs do not fit.
    Iterating gives the nodes in topological order, the same for the same construction.
    """

    def __init__(self) -> None:
        self._graph: nx.DiGraph[str] = nx.DiGraph()
        self._order = 0
        # The names in topological order, until an edge changes: passes ask for it far more often than that.
        self._sorted: tuple[str, ...] | None = None

    def copy(self) -> Graph:
        """Return a graph that can be changed without changing this one; operations are shared, being frozen."""
        other = Graph()
        other._graph = self._graph.copy()
        other._order = self._order
        other._sorted = self._sorted
        return other

    def add(self, name: str, op: Operation, inputs: tuple[str, ...] = (), *, modules: tuple[str, ...] = ()) -> Node:
        """Add a node that reads nodes that exist already, so that it cannot close a cycle.

        Raises:
            UnsupportedError: The shapes of the inputs do not fit the operation.
        """
        assert name not in self, f"{name} is taken"
        assert all(source in self for source in inputs), f"{name} reads {inputs}, not all of which exist"
        shape = self._infer(op, inputs, named_place(modules) or name)
        self._graph.add_node(name, op=op, modules=modules, shape=shape, order=self._order)
        self._order += 1
        self._connect(name, inputs)
        return self[name]

    def replace(
        self,
        name: str,
        op: Operation,
        inputs: tuple[str, ...] | None = None,
        *,
        absorbed: tuple[str, ...] = (),
    ) -> Node:
        """Give a node another operation, and other inputs where they are named.

        Where that changes the node's shape, the shapes of what reads it are inferred anew, and so on.

        Args:
            name: The node.
            op: Its new operation.
            inputs: Its new inputs; None: as they were.
            absorbed: Modules of the nodes that were folded into it; they are named before its own.

        Raises:
            UnsupportedError: The new inputs would close a cycle, or a shape no longer fits.
        """
        data = self._graph.nodes[name]
        data["op"] = op
        data["modules"] = tuple(dict.fromkeys((*absorbed, *data["modules"])))
        if inputs is not None and inputs != self[name].inputs:
            if set(inputs) & {name, *nx.descendants(self._graph, name)}:
                raise UnsupportedError(
                    "a cycle in the graph", where=name, advice="recurrent networks cannot be compiled"
                )
            self._graph.remove_edges_from(list(self._graph.in_edges(name)))
            self._connect(name, inputs)
        self._infer_from(name)
        return self[name]

    def free_name(self, name: str) -> str:
        """Return ``name``, or with ``:1``, ``:2``, ... after it where that is taken."""
        candidate, count = name, 0
        while candidate in self:
            count += 1
            candidate = f"{name}:{count}"
        return candidate

    def rename(self, name: str, new: str) -> Node:
        """Give a node another name."""
        self._sorted = None
        nx.relabel_nodes(self._graph, {name: new}, copy=False)
        return self[new]

    def remove(self, name: str) -> None:
        """Take a node with one input out; whoever read it reads its input instead."""
        (source,) = self[name].inputs
        for consumer in self.consumers(name):
            inputs = tuple(source if each == name else each for each in consumer.inputs)
            self.replace(consumer.name, consumer.op, inputs)
        self._sorted = None
        self._graph.remove_node(name)

    def insert_after(self, source: str, name: str, op: Operation, *, modules: tuple[str, ...] = ()) -> Node:
        """Put a node between ``source`` and everything that reads it."""
        consumers = self.consumers(source)
        node = self.add(name, op, (source,), modules=modules)
        for consumer in consumers:
            inputs = tuple(name if each == source else each for each in consumer.inputs)
            self.replace(consumer.name, consumer.op, inputs)
        return node

    def remove_unread(self) -> None:
        """Drop every node that the output does not depend on."""
        needed = nx.ancestors(self._graph, self.output.name) | {self.output.name, self.input.name}
        self._graph.remove_nodes_from([name for name in self._graph if name not in needed])
        self._sorted = None

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name."""
        data = self._graph.nodes[name]
        sources = self._graph.predecessors(name)
        inputs = sorted(
            (position, source) for source in sources for position in self._graph.edges[source, name]["positions"]
        )
        return Node(name, data["op"], tuple(source for _, source in inputs), data["modules"], data["shape"])

    def __contains__(self, name: object) -> bool:
        """Return whether a node of that name exists."""
        return name in self._graph

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self._graph)

    def __iter__(self) -> Iterator[Node]:
        """Return the nodes in topological order."""
        return iter([self[name] for name in self._topological()])

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read a node's output, in the order they were added."""
        successors = sorted(self._graph.successors(name), key=lambda each: self._graph.nodes[each]["order"])
        return [self[each] for each in successors]

    def value_read_by(self, node: Node) -> Node:
        """Return the node whose value a node with one input reads, looking through flattens."""
        source = self[node.inputs[0]]
        while isinstance(source.op, Flatten):
            source = self[source.inputs[0]]
        return source

    def of_kind(self, *kinds: type[Operation]) -> list[Node]:
        """Return the nodes whose operation is one of these, in topological order."""
        nodes = self._graph.nodes
        return [self[name] for name in self._topological() if isinstance(nodes[name]["op"], kinds)]

    @property
    def input(self) -> Node:
        """The only Input node."""
        (node,) = self.of_kind(Input)
        return node

    @property
    def output(self) -> Node:
        """The only Output node."""
        (node,) = self.of_kind(Output)
        return node

    @property
    def networkx(self) -> nx.DiGraph[str]:
        """A copy as a plain networkx graph, for analyses and pictures."""
        return self._graph.copy()

    def _topological(self) -> tuple[str, ...]:
        if self._sorted is None:
            order = nx.lexicographical_topological_sort(self._graph, key=lambda name: self._graph.nodes[name]["order"])
            self._sorted = tuple(order)
        return self._sorted

    def _connect(self, name: str, inputs: tuple[str, ...]) -> None:
        self._sorted = None
        for position, source in enumerate(inputs):
            earlier = self._graph.get_edge_data(source, name, default={"positions": ()})
            self._graph.add_edge(source, name, positions=(*earlier["positions"], position))

    def _infer_from(self, name: str) -> None:
        """Infer the shape of a node, and of what reads it as far as shapes change."""
        stale = {name}
        first = self[name]
        shape = self._infer(first.op, first.inputs, first.where)
        if shape == first.shape:
            return
        for each in self._topological():
            if each not in stale:
                continue
            node = self[each]
            shape = self._infer(node.op, node.inputs, node.where)
            if shape != node.shape:
                self._graph.nodes[each]["shape"] = shape
                stale.update(self._graph.successors(each))

    def _infer(self, op: Operation, inputs: tuple[str, ...], where: str) -> Shape:
        shapes = [self._graph.nodes[source]["shape"] for source in inputs]
        try:
            return op.output_shape(*shapes)
        except ValueError as error:
            raise UnsupportedError(f"{op.kind} does not fit its input: {error}", where=where) from error


Apply = Callable[[Node, tuple[torch.Tensor, ...]], torch.Tensor]


def apply_node(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return what a node's operation makes of its inputs."""
    return node.op.apply(*inputs)


def execute(
    graph: Graph, batch: torch.Tensor, *, keep: Collection[str] = (), apply: Apply = apply_node
) -> Mapping[str, torch.Tensor]:
    """Compute a graph's output.

    Args:
        graph: Any graph; spiking layers compute the ANN's activation.
        batch: (batch, *input shape); its precision and device are those of the computation.
        keep: Names of further nodes whose values are wanted.
        apply: How a node's value comes from its inputs, for those who want to see more of it than the value.

    Returns:
        The values of the nodes in ``keep`` and of the output node, by name, each (batch, *node shape).
    """
    wanted = {*keep, graph.output.name}
    nodes = list(graph)
    last_use = {source: index for index, node in enumerate(nodes) for source in node.inputs}
    values: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for index, node in enumerate(nodes):
            arguments = (batch,) if isinstance(node.op, Input) else tuple(values[name] for name in node.inputs)
            values[node.name] = apply(node, arguments)
            for source in set(node.inputs):
                # A value that nobody reads any more is freed: large networks do not fit otherwise.
                if last_use[source] == index and source not in wanted:
                    del values[source]
    return {name: values[name] for name in wanted}


def channels_last(values: torch.Tensor) -> torch.Tensor:
    """Return the same values, images pixel by pixel: narrow convolutions on a CPU are two to three times as fast."""
    return values.contiguous(memory_format=torch.channels_last) if values.ndim == 4 else values
