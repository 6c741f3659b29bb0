"""Looks at every layer's activations, once its thresholds are known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.staircase import rate
from snnc.analysis.thresholds.layer import LayerThresholds
from snnc.common.arrays import FloatArray
from snnc.common.errors import ModelError
from snnc.common.progress import PartOf, Progress, Unheard
from snnc.compiler.conversion.choose_max_pooling import ways_taken
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, Node, SpikingLayer, execute
from snnc.compiler.ir.passes import PassManager, PassRecord, PassResult
from snnc.compiler.lowering.spiking_layers import AlignPaths, lowering
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import convert, profile
from snnc.inputs.data import input_levels, raw_values
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.program.targets import get_target


def lowered_module(program: Program, module: nn.Module) -> tuple[PassRecord, ...]:
    """Return the passes that turn a network into the spiking layers of a program; nothing is profiled or quantised.

    Args:
        program: The program.
        module: The network that it was compiled from.

    Returns:
        What each pass did; the graph of the last one has the program's spiking layers, and takes input levels.

    Raises:
        ModelError: The model has other layers than the program.
    """
    traced = trace(module, program.coding.shape)
    manager = PassManager(lowering(program.coding, ways_taken(traced, program.provenance)))
    graph = manager.run(traced).graph
    found = {node.name: node.shape for node in graph.of_kind(SpikingLayer)}
    # What is memoryless has the thresholds of what it reads.
    expected = {layer.name: layer.shape for layer in program.spiking_layers if not layer.memoryless}
    check_layers(found, expected)
    return manager.records


def check_layers(found: Collection[str], expected: Collection[str]) -> None:
    """Make sure that a model has the layers of a program.

    Args:
        found: The model's, by name; a mapping where more than the names has to be equal.
        expected: The program's, likewise.

    Raises:
        ModelError: It has others.
    """
    if found != expected:
        raise ModelError(
            "is not the network that the .net file was compiled from",
            where="model (--model)",
            expected=f"the layers {', '.join(expected)}",
            found=", ".join(found),
        )


def program_levels(program: Program) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return by layer Vth and v0 of each channel, (channels,), in units of the activations."""
    chosen = {}
    for layer in program.spiking_layers:
        if not layer.memoryless:
            assert layer.threshold is not None
            chosen[layer.name] = (layer.scale, layer.scale * (layer.initial_potential / layer.threshold.value))
    return chosen


def replayed_passes(program: Program, module: nn.Module) -> tuple[PassRecord, ...]:
    """Return the passes that made a program, as far as they can be run without the data it was calibrated on.

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
    graph = align.run(lowered[-1].result.graph).graph.copy()
    for name, (threshold, potential) in program_levels(program).items():
        op = graph[name].op
        assert isinstance(op, SpikingLayer)
        graph.replace(name, replace(op, threshold=threshold, initial_potential=potential))
    chosen = PassRecord(
        "thresholds of the .net file", "thresholds of the .net file", 0.0, PassResult(graph, modified=True)
    )
    return (*lowered, *align.records, chosen)


# Activations of a layer that are kept to be drawn; the figures are of all.
DRAWN = 50_000
BATCH = 64
_SEED = 0


@dataclass
class _Sums:
    """What is added up over the batches."""

    values: list[FloatArray] = field(default_factory=list)
    channels: list[NDArray[np.intp]] = field(default_factory=list)
    positive: int = 0
    total: int = 0
    largest: float = 0.0
    sum: float = 0.0
    # Of |value| ** m.
    powers: float = 0.0
    errors: float = 0.0


def model_thresholds(
    module: nn.Module,
    dataset: Dataset,
    options: CompileOptions,
    *,
    progress: Progress = Unheard(),
) -> tuple[LayerThresholds, ...]:
    """Return thresholds that ``compile`` would choose, beside the activations that they are chosen from.

    Args:
        module: The network.
        dataset: Calibration data.
        options: As for a compilation.
        progress: Told how many samples were looked at, of twice their number, in the step that is under way: once to
            choose, once to judge.

    Raises:
        SnncError: Anything that the user can mend.
    """
    unit = dataset.unit if dataset.images.dtype == np.uint8 else None
    made = profile(module, raw_values(dataset), options, unit=unit, progress=PartOf(progress))
    converted = convert(made, options)
    graph, levels = converted.graph, made.levels
    chosen: dict[str, tuple[FloatArray, FloatArray]] = {}
    for node in graph.of_kind(SpikingLayer):
        assert isinstance(node.op, SpikingLayer)
        assert node.op.threshold is not None and node.op.initial_potential is not None
        chosen[node.name] = (node.op.threshold, node.op.initial_potential)
    objective = converted.outcome.choice.objective or 1
    return _measure(graph, levels, chosen, options.steps, objective, PartOf(progress, len(levels)))


def program_thresholds(
    program: Program, module: nn.Module, dataset: Dataset, *, progress: Progress = Unheard()
) -> tuple[LayerThresholds, ...]:
    """Return the thresholds of a compiled network, beside the activations of the model that it was compiled from.

    Args:
        program: The program; T, input coding and thresholds are its own.
        module: The network that it was compiled from.
        dataset: Data like those it was calibrated on.
        progress: Told how many samples were looked at, in the step that is under way.

    Raises:
        ModelError: The model has other layers than the program.
        DataError: The data do not fit the program.
    """
    levels = input_levels(program, dataset).values
    graph = lowered_module(program, module)[-1].result.graph
    choice = program.provenance.thresholds
    # Ways that look at no error are shown by their mean distance.
    objective = choice.objective if choice and choice.objective else 1
    return _measure(graph, levels, program_levels(program), program.timesteps, objective, progress)


def _measure(
    graph: Graph,
    levels: NDArray[np.uint8],
    chosen: dict[str, tuple[FloatArray, FloatArray]],
    timesteps: int,
    objective: int,
    progress: Progress,
) -> tuple[LayerThresholds, ...]:
    generator = np.random.default_rng(_SEED)
    layers = graph.of_kind(SpikingLayer)
    sums = {node.name: _Sums() for node in layers}
    batches = -(-len(levels) // BATCH)
    for start in range(0, len(levels), BATCH):
        batch = torch.as_tensor(levels[start : start + BATCH], dtype=torch.float32)
        values = execute(graph, batch, keep=sums)
        for node in layers:
            rows = values[node.name].transpose(0, 1).flatten(1).numpy()
            _add(sums[node.name], rows, *chosen[node.name], timesteps, objective, -(-DRAWN // batches), generator)
        progress.advance(min(start + BATCH, len(levels)))
    return tuple(_layer(node, sums[node.name], *chosen[node.name], timesteps, objective) for node in layers)


def _add(
    sums: _Sums,
    rows: NDArray[np.float32],
    threshold: FloatArray,
    potential: FloatArray,
    timesteps: int,
    objective: int,
    drawn: int,
    generator: np.random.Generator,
) -> None:
    """Add the activations (channels, values) of a batch."""
    channels, places = np.nonzero(rows > 0)
    values = rows[channels, places].astype(np.float64)
    rates = rate(values, threshold[channels], potential[channels], timesteps)
    sums.total += rows.size
    sums.positive += len(values)
    sums.sum += float(values.sum())
    sums.powers += float((values**objective).sum())
    sums.errors += float((np.abs(values - rates) ** objective).sum())
    sums.largest = max(sums.largest, float(values.max(initial=0)))
    if len(values) > drawn:
        # Not every n-th: neighbours in an image resemble each other.
        some = generator.choice(len(values), drawn, replace=False)
        values, channels = values[some], channels[some]
    sums.values.append(values)
    sums.channels.append(channels)


def _layer(
    node: Node, sums: _Sums, threshold: FloatArray, potential: FloatArray, timesteps: int, objective: int
) -> LayerThresholds:
    values, channels = np.concatenate(sums.values), np.concatenate(sums.channels)
    order = np.argsort(values / threshold[channels], kind="stable")
    return LayerThresholds(
        name=node.name,
        modules=node.modules,
        timesteps=timesteps,
        threshold=threshold,
        potential=potential,
        values=values[order],
        channels=channels[order],
        positive=sums.positive,
        total=sums.total,
        largest=sums.largest,
        mean=sums.sum / sums.positive if sums.positive else 0.0,
        error=(sums.errors / sums.positive) ** (1 / objective) if sums.positive else 0.0,
        norm=(sums.powers / sums.positive) ** (1 / objective) if sums.positive else 0.0,
        objective=objective,
    )
