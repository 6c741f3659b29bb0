"""What a network's outputs mean, and labels and targets in the form that this asks for.

A network decides among classes, decides by the sign of one output, or gives values: numbers or images. Labels and
targets come in many forms; whoever compares outputs with them first has them brought into one here, so that none is
compared with what it does not mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.common.errors import DataError
from snnc.inputs.data import in_unit_of
from snnc.models.data.dataset import Dataset, class_numbers
from snnc.program import CompiledNetwork
from snnc.program.verdict import TASKS, TargetError, Task
from snnc.runtime.result import check_labels, decisions

__all__ = ["Match", "TargetErrors", "is_image", "matched", "matched_to", "target_error"]


@dataclass(frozen=True, eq=False)
class Match:
    """Data in the form that a network's outputs ask for.

    Attributes:
        task: What the outputs mean.
        dataset: The data: with class numbers from 0, or 0 and 1 for a sign, as labels; for values with targets of shape
            (N, *output shape) and no labels; or with neither.
        notes: What the user should know, one sentence each.
    """

    task: Task
    dataset: Dataset
    notes: tuple[str, ...] = ()

    def worth(self, outputs: NDArray[Any], ann: NDArray[Any]) -> tuple[float | None, float, TargetError | None]:
        """Return what outputs of the samples are worth.

        Args:
            outputs: (samples, *output shape), in the network's units.
            ann: The ANN's, likewise.

        Returns:
            The share that is decided as the labels say, None without labels; the share that is decided as the ANN does,
            or of values R squared against the ANN's; how far values are from the targets, None without targets.
        """
        if self.task == "values":
            error = target_error(outputs, ann)
            # An ANN that always gives the same is reached, or is not.
            explained = (
                float(np.array_equal(outputs, ann)) if error is None or error.explained is None else error.explained
            )
            return None, explained, target_error(outputs, self.dataset.targets)
        decided, labels = decisions(outputs), self.dataset.labels
        right = None if labels is None else float((decided == labels).mean())
        return right, float((decided == decisions(ann)).mean()), None


def is_image(shape: Sequence[int]) -> bool:
    """Return whether outputs are images: of several places.

    Args:
        shape: Of the outputs of a sample.
    """
    return len(shape) > 1 and math.prod(shape[1:]) > 1


def matched(program: CompiledNetwork, dataset: Dataset, task: Task | None = None) -> Match:
    """Return data in the form that a compiled network's outputs ask for, in the unit that it was compiled with.

    Args:
        program: The network. Where its file says what outputs mean, that counts.
        dataset: The data.
        task: What the outputs mean; None: what the file says, else what labels and outputs tell.

    Raises:
        DataError: Labels or targets do not fit the outputs.
    """
    recorded = program.provenance.options.get("task")
    verdict = program.provenance.verdict
    return matched_to(
        program.readout.shape,
        in_unit_of(program, dataset),
        task or next((each for each in TASKS if each == recorded), None),
        usual=verdict.task if verdict else None,
    )


def matched_to(shape: Sequence[int], dataset: Dataset, task: Task | None = None, *, usual: Task | None = None) -> Match:
    """Return data in the form that outputs ask for.

    Args:
        shape: Of the outputs of a sample.
        dataset: The data.
        task: What the outputs mean; None: what labels and outputs tell.
        usual: What they mean where there are neither labels nor targets; None: what their shape tells.

    Raises:
        DataError: Labels or targets do not fit the outputs.
    """
    chosen = task or _detected(shape, dataset, usual)
    if chosen == "values":
        return _with_targets(shape, dataset)
    labels = _labels(shape, dataset)
    if chosen == "sign" and math.prod(shape) != 1:
        raise DataError(
            "a sign is of one output", where="task (--task)", found=f"sign for {math.prod(shape):,} outputs"
        )
    if labels is not None:
        check_labels(labels, math.prod(shape), dataset.name, span=dataset.label_span)
    return Match(chosen, replace(dataset, labels=labels, targets=None))


def _detected(shape: Sequence[int], dataset: Dataset, usual: Task | None) -> Task:
    outputs = math.prod(shape)
    if dataset.labels is None and dataset.targets is None:
        return usual or ("values" if outputs == 1 or is_image(shape) else "classes")
    numbers = _numbers(dataset)
    if outputs == 1:
        # Labels that begin at 1 are refused as such, and are no values.
        two = numbers is not None and (numbers.max() <= 1 or (numbers.min() == 1 and numbers.max() == 2))
        return "sign" if two else "values"
    if is_image(shape):
        return "values"
    return "values" if numbers is None else "classes"


def _numbers(dataset: Dataset) -> NDArray[np.int64] | None:
    """Return labels as class numbers, those in targets too; None where these are other values."""
    if dataset.labels is not None or dataset.targets is None:
        return dataset.labels
    return class_numbers(dataset.targets)


def _labels(shape: Sequence[int], dataset: Dataset) -> NDArray[np.int64] | None:
    """Return class numbers for outputs that decide."""
    outputs, targets = math.prod(shape), dataset.targets
    numbers = _numbers(dataset)
    if targets is None:
        return numbers
    wide = targets[0].size
    if numbers is not None and wide in (1, outputs):
        return numbers
    if numbers is None and wide == outputs > 1:
        # Probabilities: the largest is the class, as the largest output is.
        found: NDArray[np.int64] = targets.reshape(len(targets), -1).argmax(axis=1).astype(np.int64)
        return found
    raise DataError(
        "the labels are no classes of the network",
        where=dataset.name,
        expected=f"class numbers from 0 to {max(outputs, 2) - 1}" + (f", or shape (N, {outputs})" * (outputs > 1)),
        found=f"{targets.dtype} of shape {targets.shape}",
        advice=None if numbers is not None else "say --task values where they are what the outputs should be",
    )


def _with_targets(shape: Sequence[int], dataset: Dataset) -> Match:
    outputs, targets = math.prod(shape), dataset.targets
    notes: tuple[str, ...] = ()
    if targets is None and dataset.labels is not None:
        if outputs == 1:
            targets = dataset.labels.astype(np.float32)
        else:
            notes = (
                f"the labels of {dataset.name} are class numbers, and say nothing of {outputs:,} output values; "
                "if the largest output is the class, say --task classes",
            )
    if targets is not None:
        own = targets.shape[1:]
        fits = math.prod(own) == outputs and (len(own) <= 1 or _squeezed(own) == _squeezed(shape))
        if not fits:
            raise DataError(
                "the targets do not fit the outputs",
                where=dataset.name,
                expected=f"shape (N, {', '.join(map(str, shape))})" + (" or (N,)" if outputs == 1 else ""),
                found=str(targets.shape),
            )
        targets = targets.reshape(len(targets), *shape)
    return Match("values", replace(dataset, labels=None, targets=targets), notes)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(each for each in shape if each != 1)


class TargetErrors:
    """Adds up how far outputs are from targets, batch by batch.

    Args:
        shape: Of the outputs of a sample.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self._image = is_image(shape)
        self._sums = np.zeros((2, math.prod(shape)))
        self._squares = 0.0
        self._samples = 0
        self._lowest, self._highest = math.inf, -math.inf

    def add(self, outputs: FloatArray, targets: FloatArray) -> None:
        """Add a batch: both (samples, *output shape), in the network's units."""
        found, wanted = (np.asarray(each, np.float64).reshape(len(outputs), -1) for each in (outputs, targets))
        self._sums += np.stack([wanted.sum(0), (wanted**2).sum(0)])
        self._squares += float(((found - wanted) ** 2).sum())
        self._samples += len(wanted)
        self._lowest, self._highest = min(self._lowest, float(wanted.min())), max(self._highest, float(wanted.max()))

    def result(self) -> TargetError | None:
        """Return the error over all batches; None where there were none."""
        if not self._samples:
            return None
        sums, squares = self._sums
        varies = float((squares - sums**2 / self._samples).sum())
        mean_square = self._squares / (self._samples * sums.size)
        width = self._highest - self._lowest
        return TargetError.of(
            rmse=math.sqrt(mean_square),
            explained=1 - self._squares / varies if varies > 1e-9 * float(squares.sum()) else None,
            psnr=10 * math.log10(width**2 / mean_square) if self._image and width and mean_square else None,
        )


def target_error(outputs: FloatArray, targets: NDArray[np.floating[Any]] | None) -> TargetError | None:
    """Return how far outputs are from targets; None without targets.

    Args:
        outputs: (samples, *output shape), in the network's units.
        targets: As many values; None: there are none.
    """
    if targets is None:
        return None
    errors = TargetErrors(outputs.shape[1:])
    errors.add(outputs, np.asarray(targets, np.float64))
    return errors.result()
