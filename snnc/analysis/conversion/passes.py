"""How well the network decides as each pass of the compiler leaves it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.progress import Progress, Unheard
from snnc.compiler.ir import Graph, execute
from snnc.compiler.ir.graph import Apply, apply_node
from snnc.compiler.ir.passes import PassRecord
from snnc.compiler.lowering.fold import NormalizeInput
from snnc.inputs.tasks import Match

# Values of the largest layer that are computed at once.
_VALUES_AT_ONCE = 1 << 23

# What a network is before it sends anything.
ANN = "ANN"

Outputs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PassOutputs:
    """The network as a pass left it.

    Attributes:
        record: The pass.
        meaning: What the network is: ``ANN``, or what :class:`Stages` calls it.
        outputs: (samples, *output shape), in the network's units.
    """

    record: PassRecord
    meaning: str
    outputs: Outputs


class Stages(ABC):
    """What a network is after a pass, and how it is run then; each kind of neurons has its own.

    Attributes:
        integers: What the program is.
        inputs: What the network takes once the input's normalisation is folded into it, (samples, *input shape).
    """

    integers: str
    inputs: torch.Tensor

    @abstractmethod
    def meaning(self, graph: Graph) -> str:
        """Return what a network is: ``ANN``, or another one of its stages.

        Args:
            graph: The network.
        """

    @abstractmethod
    def outputs(self, graph: Graph, meaning: str) -> Iterable[tuple[str, Outputs]]:
        """Return what a network that is an ANN no more puts out, (samples, *output shape), and what it is.

        Args:
            graph: The network.
            meaning: What it is.

        Returns:
            Several where a pass is taken apart; the last one is the network as the pass left it.
        """


def pass_outputs(
    stages: Stages,
    records: Sequence[PassRecord],
    images: torch.Tensor,
    progress: Progress = Unheard(),
) -> Iterator[PassOutputs]:
    """Run what each pass made of the network, but for passes that changed nothing: there the last result stands.

    Args:
        stages: What the network is after each, and how it is run.
        records: The passes, in order.
        images: What the ANN sees, (samples, *input shape).
        progress: Told how many passes are done.

    Yields:
        One for each pass; several for one that is taken apart.
    """
    progress.begin("running the network after each pass", len(records))
    # Up to this pass the network takes what the ANN sees.
    inputs = images
    last: PassOutputs | None = None
    for done, record in enumerate(records, start=1):
        graph = record.result.graph
        if record.name == NormalizeInput.__name__:
            inputs = stages.inputs
        meaning = stages.meaning(graph)
        if last is not None and not record.result.modified and meaning == last.meaning:
            last = replace(last, record=record)
            yield last
        elif meaning == ANN:
            last = PassOutputs(record, ANN, ann_outputs(graph, inputs))
            yield last
        else:
            for each, found in stages.outputs(graph, meaning):
                last = PassOutputs(record, each, found)
                yield last
        progress.advance(done)


def ann_outputs(graph: Graph, inputs: torch.Tensor, apply: Apply = apply_node) -> Outputs:
    """Return what a network that is still an ANN puts out, (samples, *output shape).

    Args:
        graph: The network.
        inputs: What it takes, (samples, *input shape).
        apply: Computes a node.
    """
    size = max(1, _VALUES_AT_ONCE // max(math.prod(node.shape) for node in graph))
    parts = [execute(graph, part, apply=apply)[graph.output.name] for part in torch.split(inputs, size)]
    return np.asarray(torch.cat(parts).double())


@dataclass(frozen=True)
class PassOutcome:
    """The network as a pass left it.

    Attributes:
        name: The pass, for programs; "" where the line before is of the same pass.
        title: What it does, for people; "" likewise.
        meaning: What the network is by then.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1; of values R squared against the ANN's.
        changed: Whether the pass changed the network.
        seconds: How long the pass took; None where it was not timed.
        figures: The pass's own figures.
    """

    name: str
    title: str
    meaning: str
    accuracy: float | None
    agreement: float
    changed: bool = True
    seconds: float | None = None
    figures: Mapping[str, int | float | str] | None = None


def pass_outcomes(
    outputs: Iterable[PassOutputs],
    last: PassRecord | None,
    final: Outputs,
    ann: Outputs,
    match: Match,
    *,
    meaning: str,
) -> tuple[PassOutcome, ...]:
    """Return how well the network decides, pass by pass.

    Args:
        outputs: What the network puts out after each pass but the one that made the program.
        last: The pass that made the program; None where it is not known.
        final: Outputs of the program, (samples, *output shape).
        ann: Those of the ANN, likewise.
        match: The samples, as :func:`snnc.inputs.tasks.matched` gives them.
        meaning: What the program is.

    Returns:
        The model first and the program last.
    """

    def outcome(title: str, what: str, found: Outputs, record: PassRecord | None = None) -> PassOutcome:
        accuracy, agreement, _ = match.worth(found, ann)
        if record is None:
            return PassOutcome(title, title, what, accuracy, agreement)
        result = record.result
        return PassOutcome(
            record.name, record.title, what, accuracy, agreement, result.modified, record.seconds, result.stats
        )

    outcomes = [outcome("the model", ANN, ann)]
    before: PassRecord | None = None
    for each in outputs:
        if each.record is before:
            outcomes.append(outcome("", each.meaning, each.outputs))
        else:
            outcomes.append(outcome(each.record.title, each.meaning, each.outputs, each.record))
        before = each.record
    outcomes.append(outcome(last.title if last else "the .net file", meaning, final, last))
    return tuple(outcomes)
