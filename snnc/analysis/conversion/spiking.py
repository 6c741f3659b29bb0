"""Measuring a spiking network: its stages between ANN and integers, its layers, fewer steps than T."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.conversion.layers import LayerEvidence, LayerWatch
from snnc.analysis.conversion.measured import Common, ConversionReport, Measurement
from snnc.analysis.conversion.passes import ANN, Outputs, Stages, ann_outputs
from snnc.analysis.diagnosis import Diagnosis, Finding, Stage, diagnose_program
from snnc.analysis.staircase import ROUNDED, clipped, rounded
from snnc.analysis.thresholds import LayerThresholds, program_thresholds
from snnc.analysis.thresholds.measure import replayed_passes
from snnc.analysis.validation.pairs import Pair
from snnc.common.arrays import per_channel
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.ir import Graph, QuantizedLayer, Readout, SpikingLayer
from snnc.compiler.ir.passes import PassRecord
from snnc.inputs.tasks import Match
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.runtime.energy import count_operations
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator

# What a network is after a pass; the pass that assigns thresholds is taken apart.
CLIPPED = "ANN, activations clipped at Vth"
FLOAT_SPIKES, INTEGERS = "spikes, floating point", "spikes, the chip's integers"

# Of many steps so many are looked at, nearer together where there are few.
STOPS = 16


@dataclass(frozen=True)
class StepOutcome:
    """The network, stopped after some steps.

    Attributes:
        steps: How many, 1..T.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1; of values R squared against the ANN's.
        spikes: Spikes for one sample on average.
        operations: Synaptic operations for one sample on average.
    """

    steps: int
    accuracy: float | None
    agreement: float
    spikes: float
    operations: float


def stops(timesteps: int) -> tuple[int, ...]:
    """Return the numbers of steps to look at, T the last one: all where there are few."""
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
    """Return runs of a program with lead for fewer steps: there they are no part of the whole run.

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
    program: Program, runs: dict[int, RunResult], ann: NDArray[np.float64], match: Match
) -> tuple[StepOutcome, ...]:
    """Return what the runs came to.

    Args:
        program: The program.
        runs: By number of steps.
        ann: The ANN's outputs, (samples, *output shape).
        match: The samples, as :func:`snnc.inputs.tasks.matched` gives them.
    """
    found = []
    for steps, result in sorted(runs.items()):
        counts = count_operations(program, result, steps)
        accuracy, agreement, _ = match.worth(result.outputs(program.shortened(steps)), ann)
        found.append(
            StepOutcome(
                steps=steps,
                accuracy=accuracy,
                agreement=agreement,
                spikes=sum(counts.spikes) / counts.samples,
                operations=counts.synaptic_total / counts.samples,
            )
        )
    return tuple(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Report(ConversionReport):
    """What was measured of a spiking network.

    Attributes:
        program: The program.
        diagnosis: What the conversion loses, and what stands out.
        layers: Each spiking layer.
        steps: The network after fewer steps, T last.
    """

    program: Program
    diagnosis: Diagnosis
    layers: tuple[LayerEvidence, ...]
    steps: tuple[StepOutcome, ...]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.diagnosis.samples

    @property
    def ann(self) -> Stage:
        """How well the ANN decides."""
        return self.diagnosis.stages[0]

    @property
    def network(self) -> Stage:
        """How well the spiking network decides."""
        return self.diagnosis.stages[-1]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in words; none where nothing stands out."""
        return self.diagnosis.findings

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was measured, one sentence each."""
        return self.diagnosis.notes


class SpikingStages(Stages):
    """An ANN until thresholds are assigned, then spikes in floating point, then the chip's integers.

    Args:
        program: What the passes led to.
        levels: The samples as input levels, (samples, *input shape).
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
    """

    integers = INTEGERS

    def __init__(
        self,
        program: Program,
        levels: NDArray[np.uint8],
        *,
        device: str | torch.device = "cpu",
        memory: int | None = None,
    ) -> None:
        self.inputs = torch.as_tensor(levels, dtype=torch.float32)
        self._program = program
        self._levels = levels
        self._device = device
        self._memory = memory

    def meaning(self, graph: Graph) -> str:
        """Return what a network is: integers where layers are quantised, spikes where all have thresholds."""
        if graph.of_kind(QuantizedLayer):
            return INTEGERS
        layers = [node.op for node in graph if isinstance(node.op, SpikingLayer)]
        has_thresholds = all(op.threshold is not None for op in layers)
        return FLOAT_SPIKES if graph.of_kind(Readout) and has_thresholds else ANN

    def outputs(self, graph: Graph, meaning: str) -> Iterable[tuple[str, Outputs]]:
        """Yield what a network puts out that sends spikes; of one in floating point first what clipping leaves."""
        program = self._program
        if meaning == INTEGERS:
            layers = tuple(node.op.layer for node in graph if isinstance(node.op, QuantizedLayer))
            made = replace(program, layers=layers)
            yield INTEGERS, Simulator(made, self._device, memory=self._memory).run(self._levels).outputs(made)
            return
        levels = {}
        for node in graph.of_kind(SpikingLayer):
            assert isinstance(node.op, SpikingLayer)
            assert node.op.threshold is not None and node.op.initial_potential is not None
            dimensions = len(node.shape)
            threshold, potential = node.op.threshold, node.op.initial_potential
            levels[node.name] = per_channel(threshold, dimensions), per_channel(potential, dimensions)
        yield CLIPPED, ann_outputs(graph, self.inputs, clipped(levels))
        yield ROUNDED, ann_outputs(graph, self.inputs, rounded(levels, program.timesteps))
        logits = simulate(graph, self.inputs, program.timesteps, lead=program.lead).readout
        yield FLOAT_SPIKES, np.asarray(logits.double())


class SpikingMeasurement(Measurement[Program, Report]):
    """Measures a spiking network: arguments as for :class:`Measurement`."""

    def __init__(self, program: Program, module: nn.Module, dataset: Dataset, **settings: Any) -> None:
        super().__init__(program, module, dataset, **settings)
        self._watch = LayerWatch(program, len(dataset))
        self._diagnosis: Diagnosis | None = None
        self._thresholds: tuple[LayerThresholds, ...] = ()

    def replayed_passes(self) -> tuple[PassRecord, ...]:
        """Return the passes up to the thresholds, as :func:`replayed_passes` does."""
        return replayed_passes(self.program, self.module)

    def add(self, pair: Pair) -> None:
        """Keep what the report needs of a batch, layer by layer too."""
        super().add(pair)
        self._watch.add(pair)

    def compare(self) -> None:
        """Diagnose the conversion, and sort the activations beside the thresholds."""
        program = self.program
        self._diagnosis = diagnose_program(
            program,
            self.module,
            self.dataset,
            device=self.device,
            memory=self.memory,
            task=self.match.task,
            stop_at=() if program.lead else stops(program.timesteps),
            watch=self.add,
            progress=self.progress,
        )
        self.progress.begin("sorting activations", len(self.dataset))
        self._thresholds = program_thresholds(program, self.module, self.dataset, progress=self.progress)

    def stages(self) -> SpikingStages:
        """Return what the network is after each pass."""
        return SpikingStages(self.program, self.levels.values, device=self.device, memory=self.memory)

    def report(self, common: Common) -> Report:
        """Return the report, with what the network gives after fewer steps."""
        assert self._diagnosis is not None
        program, result = self.program, self.result
        runs = {**result.earlier, program.timesteps: result}
        if program.lead:
            runs |= led_runs(program, self.levels.values, device=self.device, memory=self.memory)
        return Report(
            program=program,
            diagnosis=self._diagnosis,
            layers=self._layers(result, self._diagnosis),
            steps=step_outcomes(program, runs, self.ann, self.match),
            **common,
        )

    def _layers(self, result: RunResult, diagnosis: Diagnosis) -> tuple[LayerEvidence, ...]:
        errors = {each.name: each for each in diagnosis.layers}
        sorted_activations = {each.name: each for each in self._thresholds}
        timesteps = self.program.timesteps
        return tuple(
            LayerEvidence(
                layer=layer,
                timesteps=timesteps,
                firing=fired.ravel() / (timesteps * result.samples),
                errors=errors.get(layer.name),
                comparison=self._watch.comparison(layer.name),
                scatter=self._watch.scatter(layer.name),
                thresholds=sorted_activations.get(layer.name),
            )
            for layer, fired in zip(self.program.spiking_layers, result.spike_counts, strict=True)
        )
