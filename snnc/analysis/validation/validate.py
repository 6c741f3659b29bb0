"""The three-way comparison: ANN, simulator, Lava."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch
from torch import nn

from snnc.analysis.options import ValidateOptions
from snnc.analysis.validation.pairs import LayerComparison, LayerStatistics, Pair, PairedRuns
from snnc.analysis.validation.sigma_delta import SigmaDeltaPairedRuns
from snnc.analysis.validation.spiking import SpikingPairedRuns
from snnc.common.errors import BackendError, OptionError
from snnc.common.progress import Progress, Unheard
from snnc.inputs.data import chunks, input_levels
from snnc.inputs.tasks import TargetErrors, matched
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.targets import INTEGRATE_AND_FIRE
from snnc.program.verdict import Score, Task, Verdict
from snnc.runtime.agreement import Agreement, compare_runs
from snnc.runtime.lava import lava_available, run_lava
from snnc.runtime.result import decisions


@dataclass(frozen=True, eq=False)
class Validation:
    """What the comparison found.

    Attributes:
        samples: Number of samples.
        layers: ANN against simulator for each layer that stands for a value of the ANN, the readout last.
        agreeing: Samples on which ANN and simulator decide alike: predict the same class, or have the same sign; 0 for
            values.
        verdict: What the integers are worth, beside the ANN.
        wraps: For each layer, how often a membrane potential overflowed in the simulator.
        clipped: Share of input values outside what the calibration data spanned, 0..1.
        agreement: Simulator against Lava; None where Lava was not run.
        notes: What the user should know, one sentence each.
        neuron: The kind of neurons: ``if`` or ``sdnn``.
    """

    samples: int
    layers: tuple[LayerComparison, ...]
    agreeing: int
    verdict: Verdict
    wraps: tuple[int, ...]
    clipped: float
    agreement: Agreement | None
    notes: tuple[str, ...]
    neuron: str = INTEGRATE_AND_FIRE

    @property
    def ann_accuracy(self) -> float | None:
        """Share of right decisions of the ANN, 0..1; None without labels."""
        return self.verdict.ann_accuracy

    @property
    def snn_accuracy(self) -> float | None:
        """The same for the simulator."""
        return self.verdict.snn_accuracy

    @property
    def drop(self) -> float | None:
        """Percentage points of accuracy lost, below 0 where the spiking network is better; None without labels."""
        return self.verdict.drop

    def failures(self, maximum_drop: float | None = None) -> tuple[str, ...]:
        """Return what is wrong, one sentence each; none where all is well.

        Args:
            maximum_drop: Percentage points of accuracy that may be lost; None: 5.
        """
        found = []
        if any(self.wraps):
            found.append(f"{sum(self.wraps):,} membrane potentials overflowed, so the result means nothing")
        if self.agreement is not None and not self.agreement.complete:
            names = ", ".join(layer.name for layer in self.agreement.layers if layer.differing)
            found.append(f"sim and Lava differ in {names or 'the readout'}")
        found += [
            f"{layer.name} is further from the ANN than rounding can take it, in {layer.out_of_bound:,} values"
            for layer in self.layers
            if layer.out_of_bound
        ]
        return (*found, *self.verdict.failures(maximum_drop))


@singledispatch
def paired_runs(
    program: CompiledNetwork, module: nn.Module, *, device: str | torch.device = "cpu", memory: int | None = None
) -> PairedRuns:
    """Return what runs ANN and simulator side by side, by the kind of neurons.

    Args:
        program: The program.
        module: The network that it was compiled from.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
    """
    raise NotImplementedError(type(program).__name__)


paired_runs.register(Program, SpikingPairedRuns)
paired_runs.register(SigmaDeltaProgram, SigmaDeltaPairedRuns)


def validate_program(
    program: CompiledNetwork,
    module: nn.Module,
    dataset: Dataset,
    options: ValidateOptions = ValidateOptions(),
    *,
    device: str | torch.device = "cpu",
    watch: Callable[[Pair], None] | None = None,
    progress: Progress = Unheard(),
) -> Validation:
    """Compare the ANN with the simulator, and the simulator with Lava.

    The ANN gets the data as they are, so that rounding them to input levels is part of what is judged.

    Args:
        program: The program.
        module: The network that it was compiled from.
        dataset: At least one sample.
        options: How to compare them; what decides ``module``, ``dataset`` and ``device`` counts no more.
        device: Where the simulator computes, as torch names it.
        watch: Told of each batch as both have run it.
        progress: Told what is compared, how many samples are done, and how long Lava will take.

    Raises:
        BackendError: ``options.lava`` is True and Lava is not installed.
        OptionError: ``options.lava_samples`` is below 1, or an option for Lava has a value that it cannot have.
        DataError: The data do not fit the network: neither its input nor, of labels and targets, its outputs.
        ModelError: The module has another number of outputs than the program.
    """
    if options.lava_samples < 1:
        raise OptionError("is too small", where="lava samples", expected="at least 1", found=str(options.lava_samples))
    notes = []
    missing = lava_available() if options.lava is not False else None
    if options.lava and missing:
        raise BackendError(f"the lava backend cannot run: {missing}")
    if missing:
        notes.append(f"Lava was not run: {missing}")
    match = matched(program, dataset, options.task)
    dataset = match.dataset
    progress.begin("comparing ANN and sim", len(dataset))
    levels = input_levels(program, dataset)
    runs = paired_runs(program, module, device=device, memory=options.memory)
    notes += (*match.notes, *runs.notes)
    comparison = _Comparison(program, runs, match.task, labelled=dataset.labels is not None)
    done = 0
    for chunk in chunks(dataset, runs.batch_size):
        pair = runs.run(chunk, levels.values[done : done + len(chunk)])
        comparison.add(chunk, pair)
        if watch:
            watch(pair)
        done += len(chunk)
        progress.advance(done)
    agreement = None
    if options.lava is not False and not missing:
        first = levels.values[: options.lava_samples]
        reference = runs.simulate(first)
        progress.begin("comparing sim and Lava", len(first))
        found = run_lava(program, first, options, record=True, progress=progress)
        agreement = compare_runs(program, reference, found)
    return Validation(
        samples=len(dataset),
        layers=comparison.layers(),
        agreeing=comparison.agreeing,
        verdict=comparison.verdict(),
        wraps=tuple(comparison.wraps.tolist()),
        clipped=levels.clipped,
        agreement=agreement,
        notes=tuple(notes),
        neuron=program.neuron,
    )


class _Comparison:
    """ANN against simulator, batch by batch."""

    def __init__(self, program: CompiledNetwork, runs: PairedRuns, task: Task, *, labelled: bool) -> None:
        self._statistics = {
            layer.name: LayerStatistics(layer.name, layer.modules, runs.unit(layer)) for layer in runs.compared
        }
        readout = program.readout
        self._readout = readout.name
        self._logits = LayerStatistics(readout.name, readout.modules, None)
        self._task = task
        self._labelled = labelled
        self._ann_right = self._snn_right = self._samples = 0
        # Of the outputs: sum and sum of squares of the ANN's for each, and that of all differences.
        self._sums = np.zeros((2, readout.values))
        self._difference = 0.0
        self._ann_error, self._snn_error = TargetErrors(readout.shape), TargetErrors(readout.shape)
        self.wraps = np.zeros(len(program.layers), np.int64)
        self.agreeing = 0

    def add(self, chunk: Dataset, pair: Pair) -> None:
        """Add a batch."""
        assert pair.result.wraps is not None
        self.wraps += np.asarray(pair.result.wraps)
        for name, statistics in self._statistics.items():
            statistics.add(pair.activations[name], pair.rates[name], pair.bounds.get(name))
        self._logits.add(pair.ann_logits, pair.snn_logits, pair.bounds.get(self._readout))
        wanted, found = (each.reshape(len(chunk), -1) for each in (pair.ann_logits, pair.snn_logits))
        self._samples += len(chunk)
        self._sums += np.stack([wanted.sum(0), (wanted**2).sum(0)])
        self._difference += float(((found - wanted) ** 2).sum())
        if self._task == "values":
            if chunk.targets is not None:
                targets = chunk.targets.astype(np.float64)
                self._ann_error.add(pair.ann_logits, targets)
                self._snn_error.add(pair.snn_logits, targets)
            return
        decided = [decisions(each) for each in (pair.outputs, pair.result.readout)]
        # A module that ends in a sigmoid has no negative outputs.
        if self._task == "sign":
            decided[0] = decisions(wanted)
        self.agreeing += int((decided[0] == decided[1]).sum())
        if self._labelled and chunk.labels is not None:
            self._ann_right += int((decided[0] == chunk.labels).sum())
            self._snn_right += int((decided[1] == chunk.labels).sum())

    def layers(self) -> tuple[LayerComparison, ...]:
        """Return all comparisons, the readout's last."""
        return (*(statistics.result() for statistics in self._statistics.values()), self._logits.result())

    def verdict(self) -> Verdict:
        """Return what the integers are worth."""
        decides, samples = self._task != "values", self._samples
        varies = float((self._sums[1] - self._sums[0] ** 2 / samples).sum())
        squares = float(self._sums[1].sum())
        labelled = decides and self._labelled
        return Verdict(
            task=self._task,
            samples=samples,
            held_out=True,
            agreement=self.agreeing / samples if decides else None,
            ann_accuracy=self._ann_right / samples if labelled else None,
            snn_accuracy=self._snn_right / samples if labelled else None,
            explained=_figure(1 - self._difference / varies) if varies > 1e-9 * squares else None,
            relative_error=_figure(math.sqrt(self._difference / squares)) if squares else None,
            layers=tuple(Score.of(each.name, _unexplained(each)) for each in self.layers()),
            ann_error=self._ann_error.result(),
            snn_error=self._snn_error.result(),
        )


def _unexplained(layer: LayerComparison) -> float:
    return 0.0 if layer.correlation is None else 1 - max(0.0, layer.correlation) ** 2


def _figure(value: float) -> float:
    """Return a figure with the digits of it that files keep."""
    return Score.of("", value).value
