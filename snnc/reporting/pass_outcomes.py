"""How well the network decides after each pass of the compiler, from the ANN to the chip's integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.float_simulation import simulate
from snnc.compiler.ir import Graph, QuantizedLayer, Readout, SpikingLayer, execute
from snnc.compiler.passes.align_paths import AlignPaths
from snnc.compiler.passes.fold_affine import NormalizeInput
from snnc.compiler.passes.manager import PassManager, PassRecord, PassResult
from snnc.compiler.program import Program
from snnc.compiler.targets import get_target
from snnc.diagnosis import Stage
from snnc.runtime.simulator import Simulator
from snnc.thresholds.of_program import lowered_module, program_levels

# Values of the largest layer that are computed at once.
_VALUES_AT_ONCE = 1 << 23

# What a network is after a pass.
ANN, FLOAT_SPIKES, INTEGERS = "ANN", "spikes, floating point", "spikes, the chip's integers"

Predictions = NDArray[np.int64]


@dataclass(frozen=True)
class PassOutcome:
    """The network as a pass left it.

    Attributes:
        name: The pass; "" for a step that is no pass of its own.
        meaning: What was computed: what the network is by then.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
        changed: Whether the pass changed the network.
        seconds: How long the pass took; None where it was not timed.
        figures: The pass's own figures.
    """

    name: str
    meaning: str
    accuracy: float | None
    agreement: float
    changed: bool
    seconds: float | None
    figures: Mapping[str, int | float | str]


def replayed_passes(program: Program, module: torch.nn.Module) -> tuple[PassRecord, ...]:
    """The passes behind a program, as far as they can be run again without the data that it was calibrated on.

    Thresholds and potentials are the program's own; what corrections made of weights and biases shows in the integers
    alone. The program itself is the last one.

    Args:
        program: The program.
        module: The network that it was compiled from.

    Raises:
        ModelError: The model has other layers than the program.
    """
    lowered = lowered_module(program, module)
    align = PassManager([AlignPaths(get_target(program.target).maximum_delay, program.lead)])
    graph = align.run(lowered[-1].result.graph).copy()
    for name, (threshold, potential) in program_levels(program).items():
        op = graph[name].op
        assert isinstance(op, SpikingLayer)
        graph.replace(name, replace(op, threshold=threshold, initial_potential=potential))
    chosen = PassRecord("thresholds of the .net file", 0.0, PassResult(graph, modified=True))
    return (*lowered, *align.records, chosen)


def pass_predictions(
    program: Program,
    records: Sequence[PassRecord],
    images: torch.Tensor,
    levels: NDArray[np.uint8],
    *,
    memory: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> Iterator[tuple[PassRecord, str, Predictions]]:
    """Runs what each pass made of the network, but for passes that changed nothing: there the last result stands.

    Args:
        program: What the passes led to.
        records: The passes, in order.
        images: What the ANN sees, (samples, *input shape).
        levels: The same as input levels.
        memory: Bytes that the simulator may take for what it computes at once; None: what is fastest.
        advance: Told how many passes are done.

    Yields:
        Each pass, what was computed, and the predictions, (samples,).
    """
    takes_levels = False
    values = torch.as_tensor(levels, dtype=torch.float32)
    meaning, found = "", np.zeros(0, np.int64)
    for index, record in enumerate(records):
        graph = record.result.graph
        takes_levels |= record.name == NormalizeInput.__name__
        now = _meaning(graph)
        if record.result.modified or now != meaning:
            meaning = now
            inputs = values if takes_levels else images
            found = _predictions(program, graph, inputs, levels, memory)
        yield record, meaning, found
        if advance:
            advance(index + 1)


def _meaning(graph: Graph) -> str:
    if graph.of_kind(QuantizedLayer):
        return INTEGERS
    layers = [node.op for node in graph if isinstance(node.op, SpikingLayer)]
    has_thresholds = all(op.threshold is not None for op in layers)
    return FLOAT_SPIKES if graph.of_kind(Readout) and has_thresholds else ANN


def _predictions(
    program: Program, graph: Graph, inputs: torch.Tensor, levels: NDArray[np.uint8], memory: int | None
) -> Predictions:
    meaning = _meaning(graph)
    if meaning == INTEGERS:
        layers = tuple(node.op.layer for node in graph if isinstance(node.op, QuantizedLayer))
        return Simulator(replace(program, layers=layers), memory=memory).run(levels).predictions
    if meaning == FLOAT_SPIKES:
        logits = simulate(graph, inputs, program.timesteps, lead=program.lead).readout
        return np.asarray(logits.flatten(1).argmax(1))
    size = max(1, _VALUES_AT_ONCE // max(math.prod(node.shape) for node in graph))
    parts = [execute(graph, part)[graph.output.name].flatten(1).argmax(1) for part in torch.split(inputs, size)]
    return np.asarray(torch.cat(parts))


def pass_outcomes(
    stages: Sequence[Stage],
    predictions: Iterable[tuple[PassRecord, str, Predictions]],
    last: PassRecord | None,
    final: Predictions,
    ann: Predictions,
    labels: Predictions | None,
) -> tuple[PassOutcome, ...]:
    """How well the network decides, pass by pass.

    Args:
        stages: The ANN, and the ANN with its activations clipped and rounded, which a diagnosis found.
        predictions: What :func:`pass_predictions` yields.
        last: The pass that made the program; None where it is not known.
        final: Predictions of the program, (samples,).
        ann: Those of the ANN, likewise.
        labels: The right classes, likewise; None where they are not known.

    Returns:
        The model first and the program last.
    """
    model, clipped, rounded = stages[:3]

    def outcome(record: PassRecord | None, name: str, meaning: str, found: Predictions) -> PassOutcome:
        accuracy = None if labels is None else float((found == labels).mean())
        return _outcome(record, name, meaning, accuracy, float((found == ann).mean()))

    outcomes = [_outcome(None, "the model", ANN, model.accuracy, model.agreement)]
    before = ANN
    for record, meaning, found in predictions:
        if meaning == FLOAT_SPIKES != before:
            clipping = "ANN, activations clipped at Vth"
            outcomes += [
                _outcome(record, record.name, clipping, clipped.accuracy, clipped.agreement),
                _outcome(None, "", "and rounded to T + 1 levels", rounded.accuracy, rounded.agreement),
                outcome(None, "", FLOAT_SPIKES, found),
            ]
        else:
            outcomes.append(outcome(record, record.name, meaning, found))
        before = meaning
    outcomes.append(outcome(last, "the .net file" if last is None else last.name, INTEGERS, final))
    return tuple(outcomes)


def _outcome(
    record: PassRecord | None, name: str, meaning: str, accuracy: float | None, agreement: float
) -> PassOutcome:
    return PassOutcome(
        name=name,
        meaning=meaning,
        accuracy=accuracy,
        agreement=agreement,
        changed=record is None or record.result.modified,
        seconds=record.seconds if record else None,
        figures=record.result.stats if record else {},
    )
