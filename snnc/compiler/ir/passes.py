"""Passes, what comes of them, and the manager that runs them and checks what they promise."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from snnc.common.errors import PassError
from snnc.common.progress import Progress, Unheard
from snnc.compiler.ir.graph import Graph
from snnc.compiler.ir.ops import Operation

# A condition names what is wrong with a graph, or returns None.
Condition = Callable[[Graph], str | None]
Figures = dict[str, int | float | str]


@dataclass(frozen=True)
class Outcome:
    """What a pass found out, as values; what reports show and what users are told is rendered from them, last."""

    @property
    def figures(self) -> Figures:
        """Figures for reports, by name."""
        return {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        return ()


@dataclass(frozen=True)
class Counts(Outcome):
    """The outcome of a pass of which nothing is to be known but how often it did what.

    Attributes:
        counts: How often, by what it did.
    """

    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def figures(self) -> Figures:
        """The counts."""
        return dict(self.counts)


@dataclass(frozen=True)
class PassResult:
    """What a pass did.

    Attributes:
        graph: The graph afterwards; the one given is left as it was.
        modified: Whether anything changed.
        outcome: What it found out.
    """

    graph: Graph
    modified: bool
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def stats(self) -> Figures:
        """Figures for reports, by name."""
        return self.outcome.figures

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        return self.outcome.notes


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
        total: How many things (samples, say) it does that are worth counting as it goes on; at least 1.
        requires: Conditions that must hold before; stages of :mod:`snnc.compiler.ir.spec` are conditions.
        ensures: Conditions that hold afterwards.
        acts_on: Kinds of operations that it changes, subclasses not included; on a graph without any the pass is not
            run. Empty: it is run on every graph.
    """

    title: str
    total: int = 1
    requires: tuple[Condition, ...] = ()
    ensures: tuple[Condition, ...] = ()
    acts_on: tuple[type[Operation], ...] = ()

    @property
    def name(self) -> str:
        """The class's name."""
        return type(self).__name__

    @abstractmethod
    def run(self, graph: Graph) -> PassResult:
        """Do the work on a copy of the graph."""


@dataclass(frozen=True)
class PassesRun(Outcome):
    """What came of several passes.

    Attributes:
        records: Each pass that ran, in order; those of nested managers one by one.
    """

    records: tuple[PassRecord, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all passes, in order."""
        return tuple(note for record in self.records for note in record.result.notes)


class PassManager(Pass):
    """Runs passes in order and checks both ends of each; a pass itself, so that managers nest.

    A pass that would find nothing to act on is not run, and leaves no record.

    Args:
        passes: The passes.
        progress: Told of each pass as it begins; of nested managers the outermost tells.
    """

    title = "several passes"

    def __init__(self, passes: Sequence[Pass], progress: Progress = Unheard()) -> None:
        self.passes = tuple(passes)
        self.records: tuple[PassRecord, ...] = ()
        self._progress = progress

    def run(self, graph: Graph) -> PassResult:
        """Run all passes; ``records`` then holds what each did.

        Raises:
            PassError: A pass's condition did not hold, or a pass failed in a way that is our own fault; the message
                names it and the passes before it.
            SnncError: Whatever a pass found wrong with the network.
        """
        records: list[PassRecord] = []
        result = self._run(graph, records, self._progress)
        self.records = tuple(records)
        return PassResult(result.graph, result.modified, PassesRun(self.records))

    def _run(self, graph: Graph, records: list[PassRecord], progress: Progress) -> PassResult:
        modified = False
        for step in self.passes:
            _check(step.requires, graph, f"{step.name} requires", records)
            if step.acts_on and not {type(node.op) for node in graph} & set(step.acts_on):
                continue
            if isinstance(step, PassManager):
                result = step._run(graph, records, progress)
            else:
                progress.begin(step.title, step.total)
                start = time.perf_counter()
                result = step.run(graph)
                records.append(PassRecord(step.name, step.title, time.perf_counter() - start, result))
            _check(step.ensures, result.graph, f"{step.name} ensures", records[:-1])
            graph, modified = result.graph, modified or result.modified
        return PassResult(graph, modified)


def _check(conditions: Iterable[Condition], graph: Graph, promise: str, records: Sequence[PassRecord]) -> None:
    for condition in conditions:
        problem = condition(graph)
        if problem:
            before = ", ".join(record.name for record in records) or "none"
            raise PassError(f"{promise}: {problem}", advice=f"a bug in snnc; passes before: {before}")


def without(*kinds: type[Operation]) -> Condition:
    """Return the condition that no node of these kinds is left."""

    def condition(graph: Graph) -> str | None:
        nodes = graph.of_kind(*kinds)
        return f"no {nodes[0].op.kind} is left, found {nodes[0].where}" if nodes else None

    return condition


def only(*kinds: type[Operation]) -> Condition:
    """Return the condition that every node is of one of these kinds."""

    def condition(graph: Graph) -> str | None:
        strangers = [node for node in graph if not isinstance(node.op, kinds)]
        return f"no {strangers[0].op.kind} is left, found {strangers[0].where}" if strangers else None

    return condition
