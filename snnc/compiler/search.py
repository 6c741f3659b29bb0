"""The one search of the compiler, and the one judge of its candidates.

Whatever is tried out, pooling, thresholds, how the input is spread, margins with their corrections, is a list of
candidates in the order in which they are preferred. Each is made and judged; the first that the judge accepts ends the
search; of those that it does not, the one of the lowest score is taken, the first of equals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from snnc.common.errors import TargetError

Made = TypeVar("Made")

# Input weights are fine enough where rounding them moves a step's drive by less than half of the distance between
# two levels, Vth / T; else the input is spread more coarsely.
FINE = 0.5
# A program that leaves less of the ANN's output unexplained is good enough for others not to be tried.
SETTLED = 0.005
# Calibration samples on which candidates are judged in integers.
JUDGED = 128
# The share of decisions that a candidate has to save for taking twice as many synaptic operations as another.
PRICE = 0.01


@dataclass(frozen=True)
class Judgement:
    """What the judge says of a candidate.

    Attributes:
        score: The lower the better.
        accepted: Whether it is good enough for nothing else to be tried.
    """

    score: float
    accepted: bool = False


@dataclass(frozen=True)
class Candidate(Generic[Made]):
    """Something to try.

    Attributes:
        name: What it is called.
        make: Makes it.
    """

    name: str
    make: Callable[[], Made]


@dataclass(frozen=True)
class Found(Generic[Made]):
    """What a search took.

    Attributes:
        name: The candidate.
        made: What was made of it.
        judgement: What the judge said of it.
        scores: The scores of all candidates that were made, by name, in the order of the tries.
    """

    name: str
    made: Made
    judgement: Judgement
    scores: Mapping[str, float]


def search(candidates: Iterable[Candidate[Made]], judge: Callable[[Made], Judgement]) -> Found[Made]:
    """Return the first candidate that is accepted, or the best.

    Args:
        candidates: What to try, in order; made one by one, so that what follows an accepted one costs nothing, and a
            candidate may be made of those before it.
        judge: Says how good what was made is: a method of :class:`Judge`.

    Raises:
        TargetError: The last candidate does not fit the chip, and none before it was accepted.
    """
    best: tuple[str, Made, Judgement] | None = None
    scores: dict[str, float] = {}
    refused: TargetError | None = None
    for candidate in candidates:
        refused = None
        try:
            made = candidate.make()
        except TargetError as error:
            refused = error
            continue
        judgement = judge(made)
        scores[candidate.name] = judgement.score
        if best is None or judgement.accepted or judgement.score < best[2].score:
            best = (candidate.name, made, judgement)
        if judgement.accepted:
            break
    if refused:
        raise refused
    assert best is not None, "a search has candidates"
    return Found(*best, scores)


class Judge:
    """Decides between candidates: the only place where the compiler does.

    Floating point orders what may be tried: ways of pooling and thresholds, before there are integers, and the spread
    of the input by what rounding does to it. What is taken is decided by running the integers beside the ANN, on
    calibration data (:meth:`outputs`, :meth:`worth`), and so is whether margins hold (:meth:`integers`).
    """

    def pooling(self, found: torch.Tensor, wanted: torch.Tensor) -> Judgement:
        """Judge a way of maximum pooling by how far its values are from the ANN's, relative to their mean.

        Args:
            found: (samples, ...).
            wanted: The ANN's, likewise.
        """
        scale = float(wanted.abs().mean()) or 1.0
        return Judgement(float((found.reshape(wanted.shape) - wanted).abs().mean()) / scale)

    def thresholds(self, left: float) -> Judgement:
        """Judge thresholds by what they leave of the ANN's output unexplained, 0..1; see :func:`unexplained`."""
        return Judgement(left)

    def input_spread(self, deviation: float, timesteps: int, divisor: int) -> Judgement:
        """Judge how the input is spread over the steps: evenly is best, if its weights are fine enough.

        Args:
            deviation: Standard deviation of what rounding the input's weights does to a step's drive, in thresholds.
            timesteps: T.
            divisor: The larger, the less evenly; where nothing is fine enough the largest is best.
        """
        return Judgement(-float(divisor), accepted=deviation * timesteps < FINE)

    def outputs(self, left: float) -> Judgement:
        """Judge a program by what its integers leave of the ANN's output unexplained, 0..1; see :func:`unexplained`."""
        return Judgement(left, accepted=left < SETTLED)

    def worth(self, lost: float, cost: float) -> Judgement:
        """Judge a program by the decisions that it loses, and what it takes for the others.

        Args:
            lost: Share of samples with another decision than the ANN's, with a part of what is left unexplained, 0..1.
            cost: How many times as many synaptic operations as the cheapest candidate.
        """
        return Judgement(lost + PRICE * (cost - 1))

    def integers(self, wraps: Sequence[int]) -> Judgement:
        """Judge a program by the overflows of its membranes on the calibration data: only one without is accepted."""
        return Judgement(float(sum(wraps)), accepted=not any(wraps))


def unexplained(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return how much of the ANN's output the spiking network's does not explain, 0..1.

    ``1 - r**2``, r the correlation of the two over all samples; of several channels each sample's mean is taken away
    first, since what is added to all of them changes no decision, and so does a common factor. Few spikes shrink the
    outputs of a network that still decides well: squared errors or divergences of probabilities would count that.

    Args:
        found: (samples, channels, ...).
        wanted: Likewise.
    """
    one, other = (_centred(each.double()) for each in (found, wanted))
    norm = float(one.norm() * other.norm())
    correlation = float((one * other).sum()) / norm if norm else 0.0
    return 1 - max(0.0, correlation) ** 2


def _centred(values: torch.Tensor) -> torch.Tensor:
    return values - values.mean(1 if values.shape[1] > 1 else 0, keepdim=True)
