"""How well the network decides after each pass of the compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snnc.compiler.passes.manager import PassRecord
from snnc.reporting.pass_predictions import ANN, INTEGERS, PassPredictions, Predictions


@dataclass(frozen=True)
class PassOutcome:
    """The network as a pass left it.

    Attributes:
        name: The pass, for programs; "" where the line before is of the same pass.
        title: What it does, for people; "" likewise.
        meaning: What the network is by then.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
        changed: Whether the pass changed the network.
        seconds: How long the pass took; None where it was not timed.
        figures: The pass's own figures.
    """

    name: str
    title: str
    meaning: str
    accuracy: float | None
    agreement: float
    changed: bool = True
    seconds: float | None = None
    figures: Mapping[str, int | float | str] | None = None


def pass_outcomes(
    predictions: Iterable[PassPredictions],
    last: PassRecord | None,
    final: Predictions,
    ann: Predictions,
    labels: Predictions | None,
    *,
    meaning: str = INTEGERS,
) -> tuple[PassOutcome, ...]:
    """How well the network decides, pass by pass.

    Args:
        predictions: What the network says after each pass but the last.
        last: The pass that made the program; None where it is not known.
        final: Predictions of the program, (samples,).
        ann: Those of the ANN, likewise.
        labels: The right classes, likewise; None where they are not known.
        meaning: What the program is.

    Returns:
        The model first and the program last.
    """

    def outcome(title: str, what: str, found: Predictions, record: PassRecord | None = None) -> PassOutcome:
        accuracy = None if labels is None else float((found == labels).mean())
        agreement = float((found == ann).mean())
        if record is None:
            return PassOutcome(title, title, what, accuracy, agreement)
        result = record.result
        return PassOutcome(
            record.name, record.title, what, accuracy, agreement, result.modified, record.seconds, result.stats
        )

    outcomes = [outcome("the model", ANN, ann)]
    before: PassRecord | None = None
    for each in predictions:
        if each.record is before:
            outcomes.append(outcome("", each.meaning, each.predictions))
        else:
            outcomes.append(outcome(each.record.title, each.meaning, each.predictions, each.record))
        before = each.record
    outcomes.append(outcome(last.title if last else "the .net file", meaning, final, last))
    return tuple(outcomes)
