"""Conditions that passes require and ensure."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from snnc.common.errors import PassError
from snnc.compiler.ir import Graph, Input, Operation, Output, QuantizedLayer, Readout, Relay, SpikeMax2d, SpikingLayer

# A condition names what is wrong with a graph, or returns None.
Condition = Callable[[Graph], str | None]
# Called with the pass's title before it runs, its place and the number of passes.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PassResult:
    """What a pass did.

    Attributes:
        graph: The graph afterwards; the one given is left as it was.
        modified: Whether anything changed.
        stats: Named figures for reports.
        notes: What the user should know, one sentence each.
    """

    graph: Graph
    modified: bool
    stats: dict[str, int | float | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PassRecord:
    """A pass that ran, for reports.

    Attributes:
        name: The class's name, for programs.
        title: What it did, for people: ``folding batch normalisation``.
        seconds: How long it took.
        result: What came of it.
    """

    name: str
    title: str
    seconds: float
    result: PassResult


class Pass(ABC):
    """A step of the compiler.

    Attributes:
        title: What it does, as progress bars and reports show it.
        requires: Conditions that must hold before.
        ensures: Conditions that hold afterwards.
    """

    title: str
    requires: tuple[Condition, ...] = ()
    ensures: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        """The class's name."""
        return type(self).__name__

    @abstractmethod
    def run(self, graph: Graph) -> PassResult:
        """Does the work on a copy of the graph."""


class PassManager:
    """Runs passes in order and checks both ends of each.

    Args:
        passes: The passes.
        progress: Told of each pass as it begins.
    """

    def __init__(self, passes: Sequence[Pass], progress: Progress | None = None) -> None:
        self.passes = tuple(passes)
        self.records: list[PassRecord] = []
        self._progress = progress

    def run(self, graph: Graph) -> Graph:
        """Runs all passes; ``records`` then holds what each did.

        Raises:
            PassError: A pass's condition did not hold, or a pass failed in a way that is our own fault; the message
                names it and the passes before it.
            SnncError: Whatever a pass found wrong with the network.
        """
        self.records = []
        for index, step in enumerate(self.passes):
            if self._progress:
                self._progress(step.title, index, len(self.passes))
            self._check(step.requires, graph, f"{step.name} requires")
            start = time.perf_counter()
            result = step.run(graph)
            seconds = time.perf_counter() - start
            self._check(step.ensures, result.graph, f"{step.name} ensures")
            self.records.append(PassRecord(step.name, step.title, seconds, result))
            graph = result.graph
        return graph

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all passes, in order."""
        return tuple(note for record in self.records for note in record.result.notes)

    def _check(self, conditions: Sequence[Condition], graph: Graph, promise: str) -> None:
        for condition in conditions:
            problem = condition(graph)
            if problem:
                before = ", ".join(record.name for record in self.records) or "none"
                raise PassError(f"{promise}: {problem}", advice=f"a bug in snnc; passes before: {before}")


def without(*kinds: type[Operation]) -> Condition:
    """No node of these kinds is left."""

    def condition(graph: Graph) -> str | None:
        nodes = graph.of_kind(*kinds)
        return f"no {nodes[0].op.kind} is left, found {nodes[0].where}" if nodes else None

    return condition


def only(*kinds: type[Operation]) -> Condition:
    """Every node is of one of these kinds."""

    def condition(graph: Graph) -> str | None:
        strangers = [node for node in graph if not isinstance(node.op, kinds)]
        return f"no {strangers[0].op.kind} is left, found {strangers[0].where}" if strangers else None

    return condition


spiking = only(Input, SpikingLayer, SpikeMax2d, Relay, Readout, Output)
quantized = only(Input, QuantizedLayer, Output)


def profiled(graph: Graph) -> str | None:
    """Every layer knows what the calibration data made of it."""
    nodes = [node for node in graph if isinstance(node.op, SpikingLayer | Readout) and node.op.profile is None]
    return f"every layer is profiled, not {nodes[0].where}" if nodes else None


def thresholds_assigned(graph: Graph) -> str | None:
    """Every spiking layer has positive thresholds and potentials between 0 and the threshold."""
    for node in graph:
        if isinstance(node.op, SpikingLayer):
            threshold, potential = node.op.threshold, node.op.initial_potential
            if threshold is None or potential is None:
                return f"every layer has a threshold, not {node.where}"
            if not ((threshold > 0) & (potential >= 0) & (potential <= threshold)).all():
                return f"0 <= v0 <= Vth and Vth > 0, not so in {node.where}"
    return None
