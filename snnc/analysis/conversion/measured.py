"""What is measured of a conversion, whatever its neurons are, and what each kind of neurons adds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypedDict, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.conversion.passes import PassOutcome, Stages
from snnc.analysis.diagnosis import Finding, Stage
from snnc.analysis.validation.pairs import Pair
from snnc.common.progress import Progress, Unheard
from snnc.compiler.ir.passes import PassRecord
from snnc.inputs.data import Levels, input_levels
from snnc.inputs.tasks import matched
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork
from snnc.program.verdict import Task
from snnc.runtime.energy import OperationCounts
from snnc.runtime.result import RunResult, join_results

P = TypeVar("P", bound=CompiledNetwork)
R = TypeVar("R", covariant=True)


class Common(TypedDict):
    """What is measured alike of all kinds of neurons: fields of :class:`ConversionReport`."""

    data: str
    task: Task
    labelled: bool
    passes: tuple[PassOutcome, ...]
    counts: OperationCounts
    clipped: float
    replayed: bool
    shared: int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class ConversionReport(ABC):
    """What was measured of a conversion.

    Attributes:
        program: The program.
        data: What the samples are called.
        task: What the outputs mean.
        labelled: Whether the right classes are known.
        passes: The network after each pass, the model itself first and the program last.
        counts: Operations.
        clipped: Share of the input values outside what the calibration data spanned, 0..1.
        replayed: Whether the passes were run again from the .net file, and not while it was compiled.
        shared: Of the samples, how many the program was calibrated on; None where that is not known.
    """

    program: CompiledNetwork
    data: str
    task: Task
    labelled: bool
    passes: tuple[PassOutcome, ...]
    counts: OperationCounts
    clipped: float
    replayed: bool
    shared: int | None = None

    @property
    @abstractmethod
    def samples(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def ann(self) -> Stage:
        """How well the ANN decides."""

    @property
    @abstractmethod
    def network(self) -> Stage:
        """How well the compiled network decides."""

    @property
    @abstractmethod
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in words; none where nothing stands out."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was measured, one sentence each."""


class Measurement(ABC, Generic[P, R]):
    """Measures a program beside its ANN, as its kind of neurons wants it.

    Args:
        program: The program.
        module: The network that it was compiled from.
        dataset: At least one sample.
        task: What the outputs mean; None: as :func:`snnc.inputs.tasks.matched` finds it.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
        progress: Told of what :meth:`compare` does.
    """

    def __init__(
        self,
        program: P,
        module: nn.Module,
        dataset: Dataset,
        *,
        task: Task | None = None,
        device: str | torch.device = "cpu",
        memory: int | None = None,
        progress: Progress = Unheard(),
    ) -> None:
        self.program = program
        self.module = module
        self.match = matched(program, dataset, task)
        self.dataset = self.match.dataset
        self.device = device
        self.memory = memory
        self.progress = progress
        self._results: list[RunResult] = []
        self._ann: list[NDArray[np.float64]] = []
        self._images: list[torch.Tensor] = []

    @cached_property
    def levels(self) -> Levels:
        """The samples as input levels."""
        return input_levels(self.program, self.dataset)

    def add(self, pair: Pair) -> None:
        """Keep what the report needs of a batch.

        Args:
            pair: The batch as ANN and simulator have run it.
        """
        # All that was sent in every batch would fill the memory.
        self._results.append(replace(pair.result, spikes=None))
        self._ann.append(pair.ann_logits)
        self._images.append(pair.images)

    @property
    def result(self) -> RunResult:
        """The run of all batches."""
        return join_results(self._results)

    @property
    def ann(self) -> NDArray[np.float64]:
        """Outputs of the ANN, (samples, *output shape)."""
        return np.concatenate(self._ann)

    @property
    def images(self) -> torch.Tensor:
        """What the ANN sees, (samples, *input shape)."""
        return torch.cat(self._images)

    @abstractmethod
    def replayed_passes(self) -> tuple[PassRecord, ...]:
        """Return the passes that made the program, as far as they can be run without the data it was calibrated on.

        Raises:
            ModelError: The model has other layers than the program.
        """

    @abstractmethod
    def compare(self) -> None:
        """Run ANN and simulator side by side, and :meth:`add` each batch."""

    @abstractmethod
    def stages(self) -> Stages:
        """Return what the network is after each pass."""

    @abstractmethod
    def report(self, common: Common) -> R:
        """Return the report.

        Args:
            common: What is measured alike of all kinds of neurons.
        """
