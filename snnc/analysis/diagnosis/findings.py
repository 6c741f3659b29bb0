"""What the figures of a conversion mean, in words, and what to try: one small rule each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from snnc.analysis.diagnosis.evidence import Evidence, LayerErrors
from snnc.compiler.compilation import calibrate_option, lead_option

# Points of accuracy, or of agreement, that are worth a word.
WORTH = 1.0
# An ANN that is right less often than so many times by chance is wrong itself.
MUCH_TO_CHANCE = 1.5
# Of layers so many are named for each rule, the worst first.
NAMED = 3
# Leading bits of weights that are of no use in a layer whose weights are coarse.
COARSE = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to try.

    Attributes:
        what: One sentence.
        advice: What to try.
        where: The modules of the layer, or "" for the whole network.
    """

    what: str
    advice: str
    where: str = ""


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all that the rules find, what spoils everything first."""
    return tuple(found for rule in RULES for found in rule(evidence))


def _overflow(evidence: Evidence) -> Iterable[Finding]:
    for where, count in evidence.wraps:
        yield Finding(
            f"the membrane potential overflowed {count:,} times, so that the result means nothing",
            "compile again on calibration data like these, or with a smaller T",
            where,
        )


def _network(evidence: Evidence) -> Iterable[Finding]:
    accuracy = evidence.stages[0].accuracy
    if accuracy is not None and accuracy < MUCH_TO_CHANCE * evidence.chance:
        yield Finding(
            f"the ANN itself is right for {100 * accuracy:.1f} % of the samples, hardly more than chance",
            "look at the data: mean and standard deviation as in training, the order of the classes, --arch",
        )


def _input(evidence: Evidence) -> Iterable[Finding]:
    if evidence.clipped > 0.001:
        yield Finding(
            f"{100 * evidence.clipped:.1f} % of the input values lie outside what the calibration data spanned",
            "calibrate on data like these",
        )


def _clipping(evidence: Evidence) -> Iterable[Finding]:
    if (lost := evidence.lost(1)) >= WORTH:
        yield Finding(
            f"clipping activations at the thresholds costs {lost:.1f} points",
            f"{_larger_thresholds(evidence)}; more calibration samples",
        )


def _rounding(evidence: Evidence) -> Iterable[Finding]:
    if (lost := evidence.lost(2)) >= WORTH:
        yield Finding(
            f"rounding activations to {evidence.timesteps + 1} levels costs {lost:.1f} points",
            f"a T above {evidence.timesteps}; "
            + ("" if evidence.per_channel else "one threshold for each channel (--per-channel); ")
            + "training with few levels (snnc train --activation qcfs)",
        )


def _spikes(evidence: Evidence) -> Iterable[Finding]:
    if (lost := evidence.lost(3)) >= WORTH:
        fit = f"{calibrate_option()}, which fits layers to the spikes they receive"
        ways = [] if "weights" in evidence.corrections else [fit]
        if not evidence.lead:
            ways.append(f"{lead_option(evidence.timesteps)}, which lets layers wait until spikes are in")
        ways.append(f"a T above {evidence.timesteps}")
        yield Finding(
            f"spikes that come unevenly, errors handed on from layer to layer and integer weights cost {lost:.1f} "
            "points beyond that",
            "; ".join(ways),
        )


def _larger_thresholds(evidence: Evidence) -> str:
    if evidence.weighed:
        return "a larger T, since --threshold auto has weighed larger thresholds against coarser levels already"
    return "--threshold auto, or data-driven with --objective 2, which choose larger thresholds; a larger T"


def _truer(evidence: Evidence) -> str:
    if "bias" in evidence.corrections:
        ways = [] if evidence.lead else [lead_option(evidence.timesteps)]
        ways += ["a larger T", "more calibration samples, since --calibrate bias has corrected it on these already"]
        return "; ".join(ways)
    if evidence.corrections:
        return f"--calibrate {','.join((*evidence.corrections, 'bias'))}"
    return f"{calibrate_option()}, or bias alone, which is sooner done"


def _sooner(evidence: Evidence) -> str:
    ways = "a larger T" if evidence.per_channel else "a larger T, or --per-channel"
    return f"{ways}: their activations are small beside the threshold"


def _layer_rule(
    figure: Callable[[LayerErrors], float], least: float, words: str, advice: str | Callable[[Evidence], str]
) -> Callable[[Evidence], Iterable[Finding]]:
    """Return a rule on each layer by itself: where a figure is at least ``least``, the largest first."""

    def rule(evidence: Evidence) -> Iterable[Finding]:
        over = sorted((each for each in evidence.layers if figure(each) >= least), key=figure, reverse=True)
        for each in over[:NAMED]:
            said = advice if isinstance(advice, str) else advice(evidence)
            yield Finding(words.format(100 * figure(each)), said, each.where)

    return rule


def _weights(evidence: Evidence) -> Iterable[Finding]:
    target = evidence.target
    largest = [(each.largest_weight, each.where) for each in evidence.layers if each.largest_weight is not None]
    coarse = (target.weight_maximum + target.weight_step) >> COARSE
    for weight, where in sorted(each for each in largest if each[0] <= coarse)[:NAMED]:
        yield Finding(
            f"its largest weight is {weight} of {target.weight_maximum}: weights have fewer than "
            f"{target.weight_bits - COARSE + 1} of {target.weight_bits} bits",
            "a smaller T, or thresholds for each channel; the membrane's range leaves no more room",
            where,
        )


RULES: tuple[Callable[[Evidence], Iterable[Finding]], ...] = (
    _overflow,
    _network,
    _input,
    _clipping,
    _rounding,
    _spikes,
    _layer_rule(
        lambda layer: layer.clipped,
        0.05,
        "{:.0f} % of its activations' sum lie above the thresholds and are lost",
        _larger_thresholds,
    ),
    _layer_rule(
        lambda layer: 0.0 if layer.memoryless else -layer.shift,
        0.1,
        "its rates fall {:.0f} % short of the activations on average",
        _truer,
    ),
    _layer_rule(
        lambda layer: 0.0 if layer.memoryless else layer.shift,
        0.1,
        "its rates exceed the activations by {:.0f} % on average",
        _truer,
    ),
    _layer_rule(
        lambda layer: layer.shift if layer.memoryless else 0.0,
        0.1,
        "its rates exceed the maxima by {:.0f} % on average, since spikes of several neurons of a window come at "
        "different steps",
        "--max-pool exact",
    ),
    _layer_rule(
        lambda layer: layer.silent,
        0.1,
        "{:.0f} % of the neurons that the ANN activates never fire",
        _sooner,
    ),
    _layer_rule(
        lambda layer: layer.saturated,
        0.05,
        "{:.0f} % of its neurons fire in every step and can say no more",
        _larger_thresholds,
    ),
    _weights,
)
