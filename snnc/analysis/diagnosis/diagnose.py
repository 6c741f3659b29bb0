"""Running a conversion beside its ANN to see what it loses, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.calibration_data import LOOKED_AT, normalisation_fit
from snnc.analysis.diagnosis.evidence import (
    FLOAT_STAGE,
    STAGES,
    Evidence,
    LayerErrors,
    LayerErrorSums,
    Stage,
    roundings,
    staged_outputs,
)
from snnc.analysis.diagnosis.findings import Finding, findings
from snnc.analysis.staircase import levels_of
from snnc.analysis.thresholds.measure import replayed_passes
from snnc.analysis.validation.pairs import Pair
from snnc.analysis.validation.spiking import SpikingPairedRuns
from snnc.common.arrays import FloatArray
from snnc.common.errors import ModelError
from snnc.common.progress import Progress, Unheard
from snnc.compiler.compilation import Remedies
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.ir import Graph
from snnc.inputs.data import chunks, input_levels, raw_values
from snnc.inputs.tasks import Match, matched
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.program.targets import get_target
from snnc.program.verdict import Task
from snnc.runtime.result import decisions


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found.

    Attributes:
        samples: Number of samples.
        stages: What is left of the accuracy at each step from the ANN to the simulator.
        layers: Errors of each spiking layer that stands for a value of the ANN, in network order.
        findings: What is wrong, in words; none where nothing stands out.
        notes: What the user should know besides, one sentence each.
        task: What the outputs mean.
    """

    samples: int
    stages: tuple[Stage, ...]
    layers: tuple[LayerErrors, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    task: Task = "classes"

    @property
    def worst_first(self) -> tuple[LayerErrors, ...]:
        """The layers, by their total error."""
        return tuple(sorted(self.layers, key=lambda layer: layer.total, reverse=True))


def diagnose_program(
    program: Program,
    module: nn.Module,
    dataset: Dataset,
    *,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    task: Task | None = None,
    stop_at: Sequence[int] = (),
    watch: Callable[[Pair], None] | None = None,
    progress: Progress = Unheard(),
) -> Diagnosis:
    """Say what a conversion loses.

    Args:
        program: The program.
        module: The network that it was compiled from.
        dataset: At least one sample; with labels, accuracies are looked at, else agreement with the ANN; of values
            R squared against the ANN's.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
        task: What the outputs mean; None: as :func:`snnc.inputs.tasks.matched` finds it.
        stop_at: Numbers of steps after which the simulator reports too, for who watches.
        watch: Told of each batch as both have run it.
        progress: Told how many samples are done.

    Raises:
        DataError: The data do not fit the network.
        ModelError: The module has another number of outputs than the program.
    """
    match = matched(program, dataset, task)
    dataset = match.dataset
    levels = input_levels(program, dataset)
    runs = SpikingPairedRuns(program, module, device=device, memory=memory, stop_at=stop_at)
    thresholds = {layer.name: levels_of(layer) for layer in runs.layers}
    sums = {layer.name: LayerErrorSums(layer, program.timesteps, thresholds[layer.name]) for layer in runs.layers}
    wraps = np.zeros(len(program.layers), np.int64)
    floating = _floating(program, module)
    names = [name for index, name in enumerate(STAGES) if floating or index != FLOAT_STAGE]
    outputs: list[list[FloatArray]] = [[] for _ in names]
    progress.begin("comparing ANN and spikes", len(dataset))
    done = 0
    for chunk in chunks(dataset, runs.batch_size):
        pair = runs.run(chunk, levels.values[done : done + len(chunk)])
        assert pair.result.wraps is not None
        wraps += np.asarray(pair.result.wraps)
        for name, each in sums.items():
            each.add(pair.activations[name], pair.rates[name])
        middle = staged_outputs(runs.graph, pair.images, thresholds, program.timesteps, runs.logits_name)
        spikes = () if floating is None else (_spiking(floating, program, levels.values[done : done + len(chunk)]),)
        found = (pair.ann_logits, *middle, *spikes, pair.snn_logits)
        for kept, batch in zip(outputs, found, strict=True):
            kept.append(batch)
        if watch:
            watch(pair)
        done += len(chunk)
        progress.advance(done)
    joined = [np.concatenate(each) for each in outputs]
    stages = tuple(Stage(name, *match.worth(each, joined[0])) for name, each in zip(names, joined, strict=True))
    layers = tuple(each.result() for each in sums.values())
    mean, std = (program.provenance.numbers(name, usual) for name, usual in (("mean", 0.0), ("std", 1.0)))
    evidence = Evidence(
        stages=stages,
        layers=layers,
        wraps=[(layer.where, int(count)) for layer, count in zip(program.layers, wraps, strict=True) if count],
        clipped=levels.clipped,
        classes=program.readout.neurons,
        remedies=Remedies.after(program),
        target=get_target(program.target),
        task=match.task,
        samples=len(dataset),
        differing=[_differing(match, *each) for each in pairwise(joined)],
        judged=program.provenance.verdict,
        rounding=() if floating is None else roundings(program, floating),
        normalisation=normalisation_fit(runs.graph, raw_values(dataset.take(LOOKED_AT)), mean, std),
    )
    notes = (*match.notes, *runs.notes)
    return Diagnosis(len(dataset), stages, layers, findings(evidence), notes, match.task)


def _floating(program: Program, module: nn.Module) -> Graph | None:
    """Return the network with the program's thresholds, in floating point and uncorrected; None of another model."""
    try:
        return replayed_passes(program, module)[-1].result.graph
    except ModelError:
        return None


def _spiking(graph: Graph, program: Program, levels: NDArray[np.uint8]) -> FloatArray:
    """Return the outputs of a network of spikes in floating point, (samples, *output shape)."""
    run = simulate(graph, torch.as_tensor(levels, dtype=torch.float32), program.timesteps, lead=program.lead)
    outputs: FloatArray = run.readout.numpy().astype(np.float64)
    return outputs


def _differing(match: Match, before: FloatArray, after: FloatArray) -> float:
    """Return the share of samples that two stages decide differently; of values 0, which are measured, not counted."""
    return 0.0 if match.task == "values" else float((decisions(before) != decisions(after)).mean())
