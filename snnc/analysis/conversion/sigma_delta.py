"""Measuring a sigma-delta network: an ANN until it is quantised, whose layers' errors have a bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from snnc.analysis.conversion.measured import Common, ConversionReport, Measurement
from snnc.analysis.conversion.passes import ANN, Outputs, Stages
from snnc.analysis.diagnosis import Finding, Stage
from snnc.analysis.options import ValidateOptions
from snnc.analysis.thresholds.measure import check_layers
from snnc.analysis.validation import LayerComparison, Validation, validate_program
from snnc.common.progress import PartOf
from snnc.compiler.front import with_shift
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, Readout, SpikingLayer
from snnc.compiler.ir.passes import PassManager, PassRecord
from snnc.compiler.quantization.sigma_delta.chain import front_passes
from snnc.program import SigmaDeltaProgram

MESSAGES = "messages, the chip's integers"
# Share of the samples whose prediction may differ from the ANN's without a word.
UNREMARKABLE = 0.01


def sigma_delta_findings(program: SigmaDeltaProgram, validation: Validation) -> tuple[Finding, ...]:
    """Return what is wrong, what spoils everything first.

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
    differing = 0.0 if validation.verdict.agreement is None else 1 - validation.verdict.agreement
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


@dataclass(frozen=True, eq=False, kw_only=True)
class SigmaDeltaReport(ConversionReport):
    """What was measured of a sigma-delta network.

    Attributes:
        program: The program.
        validation: Each layer beside the ANN's, with its bound; Lava is not run.
    """

    program: SigmaDeltaProgram
    validation: Validation

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.validation.samples

    @property
    def ann(self) -> Stage:
        """How well the ANN decides."""
        return Stage("the ANN", self.validation.ann_accuracy, 1.0, self.validation.verdict.ann_error)

    @property
    def network(self) -> Stage:
        """How well the network decides."""
        verdict = self.validation.verdict
        alike = verdict.explained if verdict.task == "values" else verdict.agreement
        # An ANN whose outputs do not vary is reached, or is not.
        agreement = float(not verdict.relative_error) if alike is None else alike
        return Stage("messages on the simulator", self.validation.snn_accuracy, agreement, verdict.snn_error)

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


class SigmaDeltaStages(Stages):
    """An ANN after every pass; what quantisation makes of it is the program.

    Args:
        inputs: What the chain takes for the samples, (samples, *input shape).
    """

    integers = MESSAGES

    def __init__(self, inputs: torch.Tensor) -> None:
        self.inputs = inputs

    def meaning(self, graph: Graph) -> str:
        """Return ``ANN``: no pass but the last leaves anything else."""
        return ANN

    def outputs(self, graph: Graph, meaning: str) -> Iterable[tuple[str, Outputs]]:
        """Return nothing, since every network is an ANN."""
        return ()


class SigmaDeltaMeasurement(Measurement[SigmaDeltaProgram, SigmaDeltaReport]):
    """Measures a sigma-delta network: arguments as for :class:`Measurement`."""

    _validation: Validation | None = None

    def replayed_passes(self) -> tuple[PassRecord, ...]:
        """Return the passes up to quantisation, which need no calibration data.

        Raises:
            ModelError: The model has other layers than the program.
        """
        traced = trace(self.module, self.program.coding.shape)
        manager = PassManager(front_passes(traced, self.program.coding))
        graph = manager.run(traced).graph
        found = [node.name for node in graph if isinstance(node.op, SpikingLayer | Readout)]
        check_layers(found, [layer.name for layer in self.program.layers[1:]])
        return manager.records

    def compare(self) -> None:
        """Validate the program, without Lava."""
        self.progress.begin("comparing ANN and messages", len(self.dataset))
        self._validation = validate_program(
            self.program,
            self.module,
            self.dataset,
            ValidateOptions(lava=False, memory=self.memory, task=self.match.task),
            device=self.device,
            watch=self.add,
            progress=PartOf(self.progress),
        )

    def stages(self) -> SigmaDeltaStages:
        """Return what the network is after each pass."""
        return SigmaDeltaStages(torch.as_tensor(with_shift(self.levels.values, self.program.coding)))

    def report(self, common: Common) -> SigmaDeltaReport:
        """Return the report."""
        assert self._validation is not None
        return SigmaDeltaReport(program=self.program, validation=self._validation, **common)
