"""Measuring all that a report tells of a sigma-delta network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.diagnosis import Finding, Stage
from snnc.analysis.thresholds.measure import check_layers
from snnc.analysis.validation import LayerComparison, Validation
from snnc.analysis.validation.pairs import Pair
from snnc.analysis.validation.validate import validate_program
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Readout, SpikingLayer
from snnc.compiler.ir.passes import PassManager, PassRecord
from snnc.compiler.lowering.fold import NormalizeInput
from snnc.compiler.quantization.sigma_delta.chain import front_passes, short_of
from snnc.inputs.data import input_levels
from snnc.models.data import Dataset
from snnc.program import SigmaDeltaProgram
from snnc.reporting.conversion.collect import Advance, shared_samples
from snnc.reporting.conversion.outcomes import ANN, PassOutcome, PassPredictions, ann_predictions, pass_outcomes
from snnc.runtime.energy import OperationCounts, count_operations
from snnc.runtime.result import RunResult, join_results

# Share of the samples whose prediction may differ from the ANN's without a word.
UNREMARKABLE = 0.01


def sigma_delta_findings(program: SigmaDeltaProgram, validation: Validation) -> tuple[Finding, ...]:
    """What is wrong, what spoils everything first.

    Args:
        program: The program.
        validation: How near it came to the ANN.
    """
    found = [
        Finding(
            f"{count:,} sums or messages left their range, so that the result means nothing",
            "calibrate on data like these, and on more of them",
            layer.where,
        )
        for layer, count in zip(program.layers, validation.wraps, strict=True)
        if count
    ]
    found += [
        Finding(
            f"{layer.out_of_bound:,} values are further from the ANN than rounding can take them",
            "see that the model is the one that the .net file was compiled from; if it is, this is an error in snnc",
            layer.name,
        )
        for layer in validation.layers
        if layer.out_of_bound
    ]
    differing = 1 - validation.agreeing / validation.samples
    if differing > UNREMARKABLE:
        held_back = any(layer.held_back for layer in program.layers)
        found.append(
            Finding(
                f"{100 * differing:.1f} % of the predictions are not the ANN's",
                "a lower --delta-threshold, which holds fewer changes back"
                if held_back
                else "--neuron if with a large T: every layer of a sigma-delta network adds its rounding",
            )
        )
    return tuple(found)


MESSAGES = "messages, the chip's integers"


@dataclass(frozen=True, eq=False)
class SigmaDeltaReport:
    """What was measured of a sigma-delta network.

    Attributes:
        program: The program.
        data: What the samples are called.
        labelled: Whether the right classes are known.
        validation: Each layer beside the ANN's, with its bound; Lava is not run.
        passes: The network after each pass, the model itself first and the program last.
        counts: Operations.
        replayed: Whether the passes were run again from the .net file, and not while it was compiled.
        shared: Of the samples, how many the program was calibrated on; None where that is not known.
    """

    program: SigmaDeltaProgram
    data: str
    labelled: bool
    validation: Validation
    passes: tuple[PassOutcome, ...]
    counts: OperationCounts
    replayed: bool
    shared: int | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.validation.samples

    @property
    def clipped(self) -> float:
        """Share of the input values outside what the calibration data spanned, 0..1."""
        return self.validation.clipped

    @property
    def ann(self) -> Stage:
        """How well the ANN decides."""
        return Stage("the ANN", self.validation.ann_accuracy, 1.0)

    @property
    def network(self) -> Stage:
        """How well the network decides."""
        agreement = self.validation.agreeing / self.samples
        return Stage("messages on the simulator", self.validation.snn_accuracy, agreement)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in words; none where nothing stands out."""
        return sigma_delta_findings(self.program, self.validation)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was measured, one sentence each."""
        return self.validation.notes

    @property
    def layers(self) -> tuple[LayerComparison, ...]:
        """The layers that stand for a value of the ANN, the readout last."""
        return self.validation.layers


def collect_sigma_delta_report(
    program: SigmaDeltaProgram,
    module: nn.Module,
    dataset: Dataset,
    *,
    records: Sequence[PassRecord] | None = None,
    calibration: Dataset | None = None,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    advance: Advance | None = None,
) -> SigmaDeltaReport:
    """Measures what a report tells; arguments and errors are those of :func:`collect_report`."""
    told = advance or (lambda _title, _done, _total: None)
    # First of all, since it finds out whether the module is the right one.
    passes = tuple(records) if records else _replayed_passes(program, module)
    last = records[-1] if records else None
    before = passes if last is None else passes[:-1]
    levels = input_levels(program, dataset)
    watch = _Watch()
    validation = validate_program(
        program,
        module,
        dataset,
        lava=False,
        device=device,
        memory=memory,
        watch=watch.add,
        advance=lambda _name, done, total: told("comparing ANN and messages", done, total),
    )
    result = join_results(watch.results)
    shifted = torch.as_tensor((levels.values + short_of(program.coding)).astype(np.float32))
    predictions = _pass_predictions(before, torch.cat(watch.images), shifted, told)
    return SigmaDeltaReport(
        program=program,
        data=dataset.name,
        labelled=dataset.labels is not None,
        validation=validation,
        passes=pass_outcomes(
            predictions, last, result.predictions, np.concatenate(watch.ann), dataset.labels, meaning=MESSAGES
        ),
        counts=count_operations(program, result),
        replayed=last is None,
        shared=None
        if calibration is None
        else shared_samples(levels.values, input_levels(program, calibration).values),
    )


def _replayed_passes(program: SigmaDeltaProgram, module: nn.Module) -> tuple[PassRecord, ...]:
    """The passes up to quantisation, which need no calibration data.

    Raises:
        ModelError: The model has other layers than the program.
    """
    traced = trace(module, program.coding.shape)
    manager = PassManager(front_passes(traced, program.coding))
    graph = manager.run(traced)
    found = [node.name for node in graph if isinstance(node.op, SpikingLayer | Readout)]
    expected = [layer.name for layer in program.layers[1:]]
    check_layers(found, expected)
    return tuple(manager.records)


def _pass_predictions(
    records: Sequence[PassRecord], images: torch.Tensor, shifted: torch.Tensor, told: Advance
) -> Iterator[PassPredictions]:
    """Runs what each pass made of the network; all of them leave an ANN.

    Args:
        records: The passes, in order.
        images: What the ANN sees, (samples, *input shape).
        shifted: What the chain takes for them.
        told: Told how many passes are done.
    """
    inputs = images
    last: PassPredictions | None = None
    for done, record in enumerate(records, start=1):
        if record.name == NormalizeInput.__name__:
            inputs = shifted
        if last is not None and not record.result.modified:
            last = replace(last, record=record)
        else:
            last = PassPredictions(record, ANN, ann_predictions(record.result.graph, inputs))
        yield last
        told("running the network after each pass", done, len(records))


class _Watch:
    """Keeps what the report needs of each batch."""

    def __init__(self) -> None:
        self.results: list[RunResult] = []
        self.ann: list[NDArray[np.int64]] = []
        self.images: list[torch.Tensor] = []

    def add(self, pair: Pair) -> None:
        # Every message of every batch would fill the memory.
        self.results.append(replace(pair.result, spikes=None))
        self.ann.append(pair.outputs.argmax(axis=1))
        self.images.append(pair.images)
