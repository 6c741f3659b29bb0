"""How well the network decides after fewer steps than T."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.analysis.thresholds.layer import rate
from snnc.analysis.thresholds.measure import lowered_module, program_levels
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.ir import Graph, Node, QuantizedLayer, Readout, SpikingLayer, execute
from snnc.compiler.ir.graph import Apply, apply_node
from snnc.compiler.ir.passes import PassManager, PassRecord, PassResult
from snnc.compiler.lowering.fold import NormalizeInput
from snnc.compiler.lowering.spiking_layers import AlignPaths
from snnc.program import Program
from snnc.program.targets import get_target
from snnc.runtime.energy import count_operations
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator

# Values of the largest layer that are computed at once.
_VALUES_AT_ONCE = 1 << 23

# What a network is after a pass; the pass that assigns thresholds is taken apart.
ANN = "ANN"
CLIPPED, ROUNDED = "ANN, activations clipped at Vth", "and rounded to T + 1 levels"
FLOAT_SPIKES, INTEGERS = "spikes, floating point", "spikes, the chip's integers"

Predictions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PassPredictions:
    """The network as a pass left it.

    Attributes:
        record: The pass.
        meaning: What the network is: ``ANN``, ``CLIPPED``, ``ROUNDED``, ``FLOAT_SPIKES`` or ``INTEGERS``.
        predictions: (samples,).
    """

    record: PassRecord
    meaning: str
    predictions: Predictions


def replayed_passes(program: Program, module: torch.nn.Module) -> tuple[PassRecord, ...]:
    """The passes behind a program, as far as they can be run again without the data that it was calibrated on.

    Thresholds and potentials are the program's own; what corrections made of weights and biases shows in the integers
    alone.

    Args:
        program: The program.
        module: The network that it was compiled from.

    Returns:
        The passes up to the thresholds; the program itself is none of them.

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
    chosen = PassRecord(
        "thresholds of the .net file", "thresholds of the .net file", 0.0, PassResult(graph, modified=True)
    )
    return (*lowered, *align.records, chosen)


def pass_predictions(
    program: Program,
    records: Sequence[PassRecord],
    images: torch.Tensor,
    levels: NDArray[np.uint8],
    *,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> Iterator[PassPredictions]:
    """Runs what each pass made of the network, but for passes that changed nothing: there the last result stands.

    Args:
        program: What the passes led to.
        records: The passes, in order.
        images: What the ANN sees, (samples, *input shape).
        levels: The same as input levels.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that the simulator may take for what it computes at once; None: what is fastest.
        advance: Told how many passes are done.

    Yields:
        One for each pass; three for the one that assigns thresholds.
    """
    values = torch.as_tensor(levels, dtype=torch.float32)
    # Up to this pass the network takes what the ANN sees, from it on input levels.
    inputs = images
    last: PassPredictions | None = None
    for index, record in enumerate(records):
        graph = record.result.graph
        if record.name == NormalizeInput.__name__:
            inputs = values
        meaning = _meaning(graph)
        if last is not None and not record.result.modified and meaning == last.meaning:
            last = replace(last, record=record)
        else:
            if meaning == INTEGERS:
                layers = tuple(node.op.layer for node in graph if isinstance(node.op, QuantizedLayer))
                found = Simulator(replace(program, layers=layers), device, memory=memory).run(levels).predictions
            elif meaning == FLOAT_SPIKES:
                yield PassPredictions(record, CLIPPED, ann_predictions(graph, inputs, _clipped))
                yield PassPredictions(record, ROUNDED, ann_predictions(graph, inputs, _rounded(program.timesteps)))
                logits = simulate(graph, inputs, program.timesteps, lead=program.lead).readout
                found = np.asarray(logits.flatten(1).argmax(1))
            else:
                found = ann_predictions(graph, inputs)
            last = PassPredictions(record, meaning, found)
        yield last
        if advance:
            advance(index + 1)


def _meaning(graph: Graph) -> str:
    if graph.of_kind(QuantizedLayer):
        return INTEGERS
    layers = [node.op for node in graph if isinstance(node.op, SpikingLayer)]
    has_thresholds = all(op.threshold is not None for op in layers)
    return FLOAT_SPIKES if graph.of_kind(Readout) and has_thresholds else ANN


def ann_predictions(graph: Graph, inputs: torch.Tensor, apply: Apply = apply_node) -> Predictions:
    """What a network that is still an ANN says, (samples,).

    Args:
        graph: The network.
        inputs: What it takes, (samples, *input shape).
        apply: Computes a node.
    """
    size = max(1, _VALUES_AT_ONCE // max(math.prod(node.shape) for node in graph))
    outputs = (execute(graph, part, apply=apply)[graph.output.name] for part in torch.split(inputs, size))
    return np.asarray(torch.cat([each.flatten(1).argmax(1) for each in outputs]))


def _clipped(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """What a node gives, its activations not above their thresholds."""
    value = apply_node(node, inputs)
    if not isinstance(node.op, SpikingLayer):
        return value
    threshold, _ = _spread_levels(node)
    return torch.minimum(value, torch.as_tensor(threshold, dtype=value.dtype))


def _rounded(timesteps: int) -> Apply:
    """What a node gives, its activations rounded to what spikes in so many steps can say."""

    def apply(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        value = apply_node(node, inputs)
        if not isinstance(node.op, SpikingLayer):
            return value
        return torch.as_tensor(rate(value.double().numpy(), *_spread_levels(node), timesteps), dtype=value.dtype)

    return apply


def _spread_levels(node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds and potentials of a layer's channels, shaped to be combined with a batch."""
    assert isinstance(node.op, SpikingLayer)
    assert node.op.threshold is not None and node.op.initial_potential is not None
    per_channel = (-1,) + (1,) * (len(node.shape) - 1)
    return node.op.threshold.reshape(per_channel), node.op.initial_potential.reshape(per_channel)


@dataclass(frozen=True)
class PassOutcome:
    """The network as a pass left it.

    Attributes:
        name: The pass, for programs; "" where the line before is of the same pass.
        title: What it does, for people; "" likewise.
        meaning: What the network is by then.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
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
    predictions: Iterable[PassPredictions],
    last: PassRecord | None,
    final: Predictions,
    ann: Predictions,
    labels: Predictions | None,
    *,
    meaning: str = INTEGERS,
) -> tuple[PassOutcome, ...]:
    """How well the network decides, pass by pass.

    Args:
        predictions: What the network says after each pass but the last.
        last: The pass that made the program; None where it is not known.
        final: Predictions of the program, (samples,).
        ann: Those of the ANN, likewise.
        labels: The right classes, likewise; None where they are not known.
        meaning: What the program is.

    Returns:
        The model first and the program last.
    """

    def outcome(title: str, what: str, found: Predictions, record: PassRecord | None = None) -> PassOutcome:
        accuracy = None if labels is None else float((found == labels).mean())
        agreement = float((found == ann).mean())
        if record is None:
            return PassOutcome(title, title, what, accuracy, agreement)
        result = record.result
        return PassOutcome(
            record.name, record.title, what, accuracy, agreement, result.modified, record.seconds, result.stats
        )

    outcomes = [outcome("the model", ANN, ann)]
    before: PassRecord | None = None
    for each in predictions:
        if each.record is before:
            outcomes.append(outcome("", each.meaning, each.predictions))
        else:
            outcomes.append(outcome(each.record.title, each.meaning, each.predictions, each.record))
        before = each.record
    outcomes.append(outcome(last.title if last else "the .net file", meaning, final, last))
    return tuple(outcomes)


# Of many steps so many are looked at, nearer together where there are few.
STOPS = 16


@dataclass(frozen=True)
class StepOutcome:
    """The network, stopped after some steps.

    Attributes:
        steps: How many, 1..T.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
        spikes: Spikes for one sample on average.
        operations: Synaptic operations for one sample on average.
    """

    steps: int
    accuracy: float | None
    agreement: float
    spikes: float
    operations: float


def stops(timesteps: int) -> tuple[int, ...]:
    """The numbers of steps to look at, T the last one: all where there are few."""
    if timesteps <= STOPS:
        return tuple(range(1, timesteps + 1))
    return tuple(sorted({round(each) for each in np.geomspace(1, timesteps, STOPS)}))


def led_runs(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    device: str | torch.device = "cpu",
    memory: int | None = None,
) -> dict[int, RunResult]:
    """Runs of a program with lead for fewer steps: there they are no part of the whole run.

    Each is the same network shown a sample for t steps, with its lead, or t where that is smaller.

    Args:
        program: With lead.
        levels: Input levels, (samples, *input shape).
        device: Where the simulator computes, as torch names it.
        memory: Bytes that the simulator may take for what it computes at once; None: what is fastest.

    Returns:
        By number of steps; powers of two, since each costs a run of its own.
    """
    steps = [1 << power for power in range(program.timesteps.bit_length()) if 1 << power < program.timesteps]
    programs = [replace(program, timesteps=each, lead=min(program.lead, each)) for each in steps]
    return {each.timesteps: Simulator(each, device, memory=memory).run(levels) for each in programs}


def step_outcomes(
    program: Program, runs: dict[int, RunResult], ann: NDArray[np.int64], labels: NDArray[np.int64] | None
) -> tuple[StepOutcome, ...]:
    """What the runs came to.

    Args:
        program: The program.
        runs: By number of steps.
        ann: The ANN's predictions, (samples,).
        labels: The right classes, (samples,); None where they are not known.
    """
    found = []
    for steps, result in sorted(runs.items()):
        counts = count_operations(program, result, steps)
        found.append(
            StepOutcome(
                steps=steps,
                accuracy=None if labels is None else result.accuracy(labels),
                agreement=result.accuracy(ann),
                spikes=sum(counts.spikes) / counts.samples,
                operations=counts.synaptic_total / counts.samples,
            )
        )
    return tuple(found)
