"""The three-way comparison: ANN, simulator, Lava."""

from __future__ import annotations

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
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.targets import INTEGRATE_AND_FIRE
from snnc.runtime.agreement import Agreement, compare_runs
from snnc.runtime.lava import lava_available, run_lava


@dataclass(frozen=True, eq=False)
class Validation:
    """What the comparison found.

    Attributes:
        samples: Number of samples.
        layers: ANN against simulator for each layer that stands for a value of the ANN, the readout last.
        agreeing: Samples for which ANN and simulator predict the same class.
        ann_accuracy: Share of right predictions, 0..1; None without labels.
        snn_accuracy: The same for the simulator.
        wraps: For each layer, how often a membrane potential overflowed in the simulator.
        clipped: Share of input values outside what the calibration data spanned, 0..1.
        agreement: Simulator against Lava; None where Lava was not run.
        notes: What the user should know, one sentence each.
        neuron: The kind of neurons: ``if`` or ``sdnn``.
    """

    samples: int
    layers: tuple[LayerComparison, ...]
    agreeing: int
    ann_accuracy: float | None
    snn_accuracy: float | None
    wraps: tuple[int, ...]
    clipped: float
    agreement: Agreement | None
    notes: tuple[str, ...]
    neuron: str = INTEGRATE_AND_FIRE

    @property
    def drop(self) -> float | None:
        """Percentage points of accuracy lost, below 0 where the spiking network is better; None without labels."""
        if self.ann_accuracy is None or self.snn_accuracy is None:
            return None
        return 100 * (self.ann_accuracy - self.snn_accuracy)

    def failures(self, maximum_drop: float | None = None) -> tuple[str, ...]:
        """Return what is wrong, one sentence each; none where all is well.

        Args:
            maximum_drop: Percentage points of accuracy that may be lost; None: any.
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
        if maximum_drop is not None and self.drop is not None and self.drop > maximum_drop:
            found.append(f"the accuracy drops by {self.drop:.2f} points, more than {maximum_drop:g}")
        return tuple(found)


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
        DataError: The data do not fit the network.
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
    levels = input_levels(program, dataset)
    runs = paired_runs(program, module, device=device, memory=options.memory)
    notes += runs.notes
    comparison = _Comparison(program, runs)
    progress.begin("comparing ANN and sim", len(dataset))
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
        ann_accuracy=comparison.ann_right / len(dataset) if dataset.labels is not None else None,
        snn_accuracy=comparison.snn_right / len(dataset) if dataset.labels is not None else None,
        wraps=tuple(comparison.wraps.tolist()),
        clipped=levels.clipped,
        agreement=agreement,
        notes=tuple(notes),
        neuron=program.neuron,
    )


class _Comparison:
    """ANN against simulator, batch by batch."""

    def __init__(self, program: CompiledNetwork, runs: PairedRuns) -> None:
        self._statistics = {
            layer.name: LayerStatistics(layer.name, layer.modules, runs.unit(layer)) for layer in runs.compared
        }
        readout = program.readout
        self._readout = readout.name
        self._logits = LayerStatistics(readout.name, readout.modules, None)
        self.wraps = np.zeros(len(program.layers), np.int64)
        self.agreeing = self.ann_right = self.snn_right = 0

    def add(self, chunk: Dataset, pair: Pair) -> None:
        """Add a batch."""
        assert pair.result.wraps is not None
        self.wraps += np.asarray(pair.result.wraps)
        for name, statistics in self._statistics.items():
            statistics.add(pair.activations[name], pair.rates[name], pair.bounds.get(name))
        self._logits.add(pair.ann_logits, pair.snn_logits, pair.bounds.get(self._readout))
        predictions = pair.outputs.argmax(axis=1)
        self.agreeing += int((predictions == pair.result.predictions).sum())
        if chunk.labels is not None:
            self.ann_right += int((predictions == chunk.labels).sum())
            self.snn_right += int((pair.result.predictions == chunk.labels).sum())

    def layers(self) -> tuple[LayerComparison, ...]:
        """Return all comparisons, the readout's last."""
        return (*(statistics.result() for statistics in self._statistics.values()), self._logits.result())
