"""What a run gives: spikes, readout and overflows; and several results as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import DataError
from snnc.models.data.dataset import class_numbers
from snnc.program import CompiledNetwork, InputCoding


def decisions(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the decision of each sample: its class, or, of one output, 1 where it is above 0, else 0.

    Args:
        outputs: (samples, *shape).
    """
    flat = outputs.reshape(len(outputs), -1)
    found: NDArray[np.int64] = (flat[:, 0] > 0 if flat.shape[1] == 1 else flat.argmax(axis=1)).astype(np.int64)
    return found


def check_labels(labels: NDArray[np.int64], outputs: int, where: str, *, span: tuple[int, int] | None = None) -> None:
    """Refuse labels that name no class of a network.

    Args:
        labels: Class numbers, (samples,).
        outputs: Number of outputs; one tells two classes apart by its sign.
        where: What the data are called.
        span: The smallest and the largest label of all the data that these are of; None: these are all.

    Raises:
        DataError: One has no output, or they count from 1.
    """
    if not len(labels):
        return
    classes = max(outputs, 2)
    own = (int(labels.min()), int(labels.max()))
    least, largest = own if span is None else (min(own[0], span[0]), max(own[1], span[1]))
    what = f"{outputs:,} outputs" if outputs > 1 else "one output, whose sign tells two classes apart"
    if least == 1 and largest == classes:
        raise DataError(
            f"the labels go from 1 to {largest}, and classes are counted from 0",
            where=where,
            expected=f"labels from 0 to {classes - 1}, for {what}",
            advice="subtract 1 from the labels",
        )
    if own[1] >= classes:
        raise DataError(
            "a label has no output",
            where=where,
            expected=f"labels from 0 to {classes - 1}, for {what}",
            found=f"{own[1]} at index {int(labels.argmax())}",
            advice="say --task values where the labels are what the output should be" if outputs == 1 else None,
        )


def check_levels(coding: InputCoding, levels: NDArray[np.uint8]) -> None:
    """Refuse samples that a network cannot take.

    Args:
        coding: The network's input.
        levels: Input levels, (samples, *input shape).

    Raises:
        DataError: There are no samples, or their shape does not fit.
    """
    if not len(levels) or levels.shape[1:] != coding.shape:
        raise DataError(
            "the data do not fit the network",
            expected=f"at least one sample of shape {coding.shape}",
            found=f"{len(levels)} of shape {tuple(levels.shape[1:])}",
        )


def pieces(samples: int, size: int) -> list[slice]:
    """Return the samples in pieces of a size, the last one of what is left."""
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


@dataclass(frozen=True)
class SampleRange:
    """Which samples of which data.

    Attributes:
        name: What the data are called.
        first: Place of the first one in the data.
        count: How many, one after the other.
    """

    name: str
    first: int
    count: int

    def __str__(self) -> str:
        return f"samples {self.first:,} to {self.first + self.count - 1:,} of {self.name}"


@dataclass(frozen=True, eq=False)
class RunResult:
    """Spikes and readout of a run; of a sigma-delta network messages take the place of spikes.

    Attributes:
        readout: Membrane potential of the readout after T steps, (samples, *readout shape), int64, weight units; of a
            sigma-delta network its sigma.
        spike_counts: For each spiking layer the spikes of each neuron, summed over samples and steps; int64, of the
            layer's shape.
        input_counts: The same for the input: steps at which a value other than 0 arrived.
        wraps: For each layer, readout included, how often a membrane potential left the chip's range (u then wraps
            around, and v, which is u, is clipped where it still does not fit), or a neuron could not be silenced
            between samples or, with lead, before it may fire. Where it is not 0 the result means nothing. None where
            nobody counted.
        spikes: For each spiking layer every spike, (samples, T, *layer shape), bool, or every message, int32; None
            unless recorded. With lead k the t-th of these steps comes k steps after the t-th input.
        earlier: By number of steps what a run of the same program gives that ends after so many: as above, of steps 1
            to t; the blank step that follows a sample is looked at in the whole run alone. Empty unless asked for.
        of: Which samples it is of; None where nobody said.
    """

    readout: NDArray[np.int64]
    spike_counts: tuple[NDArray[np.int64], ...]
    input_counts: NDArray[np.int64]
    wraps: tuple[int, ...] | None
    spikes: tuple[NDArray[np.bool_] | NDArray[np.int32], ...] | None = None
    earlier: Mapping[int, RunResult] = field(default_factory=dict)
    of: SampleRange | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.readout)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The decision of each sample: its class (the largest readout, the first of equal ones); of one output 1 or 0.

        One output decides by its sign: 1 above 0.
        """
        return decisions(self.readout)

    def outputs(self, program: CompiledNetwork) -> NDArray[np.float64]:
        """Return what the network puts out, as its ANN does before a softmax.

        Args:
            program: The program that ran.

        Returns:
            (samples, *readout shape), in the ANN's units.

        Raises:
            DataError: It is another program's result.
        """
        if self.readout.shape[1:] != program.readout.shape:
            raise DataError(
                "the result is of another program",
                expected=f"outputs of shape {program.readout.shape}",
                found=str(self.readout.shape[1:]),
            )
        return program.logits(self.readout)

    def accuracy(self, labels: NDArray[Any]) -> float:
        """Return the share of samples whose prediction is their label, 0..1.

        Args:
            labels: Class numbers, (samples,) or (samples, 1), one-hot (samples, classes), or -1 and 1 for a sign.

        Raises:
            DataError: There are more or fewer labels than samples, or they are no classes of the network.
        """
        numbers = class_numbers(labels)
        if numbers is None or numbers.ndim != 1:
            raise DataError(
                "the labels are no class numbers", where="labels", expected="(samples,), whole numbers from 0"
            )
        if len(numbers) != self.samples:
            raise DataError(
                "there is not one label for each sample of the result",
                where="labels",
                expected=f"{self.samples:,}" + (f", of {self.of}" if self.of else ""),
                found=f"{len(numbers):,}",
                advice=f"take labels[{self.of.first}:{self.of.first + self.of.count}]"
                if self.of and len(numbers) > self.samples
                else None,
            )
        check_labels(numbers, self.readout[0].size, self.of.name if self.of else "labels")
        return float((self.predictions == numbers).mean())


def join_results(results: Sequence[RunResult]) -> RunResult:
    """Return what one run of all samples would have given: counts are sums, since samples do not see one another.

    Args:
        results: At least one, of the same program on the same backend, in the order of the samples, all with the same
            earlier steps, and with recorded spikes or without.
    """
    first = results[0]
    if len(results) == 1:
        return first
    spikes = None
    if first.spikes is not None:
        spikes = tuple(np.concatenate(layer) for layer in zip(*(each.spikes or () for each in results), strict=True))
    wraps = None
    if first.wraps is not None:
        wraps = tuple(sum(layer) for layer in zip(*(each.wraps or () for each in results), strict=True))
    return RunResult(
        readout=np.concatenate([each.readout for each in results]),
        spike_counts=tuple(
            np.sum(layer, axis=0) for layer in zip(*(each.spike_counts for each in results), strict=True)
        ),
        input_counts=np.sum([each.input_counts for each in results], axis=0),
        wraps=wraps,
        spikes=spikes,
        earlier={steps: join_results([each.earlier[steps] for each in results]) for steps in first.earlier},
    )
