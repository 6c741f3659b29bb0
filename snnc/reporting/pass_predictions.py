"""What the network says after each pass of the compiler, from the ANN to the chip's integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.float_simulation import simulate
from snnc.compiler.ir import Graph, Node, QuantizedLayer, Readout, SpikingLayer, execute
from snnc.compiler.ir.execute import Apply, apply_node
from snnc.compiler.passes.align_paths import AlignPaths
from snnc.compiler.passes.fold_affine import NormalizeInput
from snnc.compiler.passes.manager import PassManager, PassRecord, PassResult
from snnc.compiler.program import Program
from snnc.compiler.targets import get_target
from snnc.runtime.simulator import Simulator
from snnc.thresholds.layer import rate
from snnc.thresholds.of_program import lowered_module, program_levels

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
