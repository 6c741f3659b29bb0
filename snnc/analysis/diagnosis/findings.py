"""What the figures of a conversion mean, in words, and what to try: one small rule each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from snnc.analysis.diagnosis.evidence import (
    CLIPPED_STAGE,
    INTEGER_STAGE,
    ROUNDED_STAGE,
    Evidence,
    LayerErrors,
    SynapseRounding,
)
from snnc.compiler.compilation import MUCH_TO_CHANCE, calibrate_option

# Of layers so many are named for each rule, the worst first.
NAMED = 3
# Points by which these samples may do worse than those that compiling judged on, beside twice the standard error.
UNLIKE = 5.0
# Shares of weights that may round to 0, and weight units of a threshold, below which a layer is a coarse copy.
ZEROS, COARSE_THRESHOLD = 0.5, 32
# Leading bits of weights that are of no use in a layer whose weights are coarse.
COARSE = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to try.

    Attributes:
        what: One sentence.
        advice: What to try; "" where nothing is left that could help.
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


def _normalisation(evidence: Evidence) -> Iterable[Finding]:
    fit = evidence.normalisation
    if fit is not None and not fit.fits:
        yield Finding(fit.problem, fit.advice)


def _input(evidence: Evidence) -> Iterable[Finding]:
    if evidence.clipped > 0.001:
        yield Finding(
            f"{100 * evidence.clipped:.1f} % of the input values lie outside what the calibration data spanned",
            "calibrate on data like these",
        )


def _unlike(evidence: Evidence) -> Iterable[Finding]:
    judged, found = evidence.judged, evidence.stages[-1].agreement
    if judged is None or judged.agreement is None or evidence.task == "values":
        return
    error = math.sqrt(
        judged.agreement * (1 - judged.agreement) / judged.samples + found * (1 - found) / evidence.samples
    )
    if 100 * (judged.agreement - found) > max(UNLIKE, 200 * error):
        yield Finding(
            f"the network decides as the ANN on {100 * found:.1f} % of these samples, and on "
            f"{100 * judged.agreement:.1f} % of those calibration samples that judged it: these are unlike them",
            "calibrate on data like these",
        )


def _clipping(evidence: Evidence) -> Iterable[Finding]:
    if evidence.costs(CLIPPED_STAGE):
        yield Finding(
            f"clipping activations at the thresholds costs {evidence.lost(CLIPPED_STAGE):.1f} points",
            "; ".join((*_larger_thresholds(evidence), *evidence.remedies.sampled)),
        )


def _rounding(evidence: Evidence) -> Iterable[Finding]:
    if evidence.costs(ROUNDED_STAGE):
        remedies = evidence.remedies
        few = () if remedies.learned else ("training with few levels (snnc train --activation qcfs)",)
        yield Finding(
            f"rounding activations to {remedies.timesteps + 1} levels costs {evidence.lost(ROUNDED_STAGE):.1f} points",
            "; ".join((*remedies.longer, *remedies.separate, *few)),
        )


def _spikes(evidence: Evidence) -> Iterable[Finding]:
    if evidence.spikes_cost:
        remedies = evidence.remedies
        ways = [f"{each}, which fits layers to the spikes they receive" for each in remedies.corrected]
        ways += [f"{each}, which lets layers wait until spikes are in" for each in remedies.waited]
        integers = "" if evidence.has_floating else ", and integer weights,"
        yield Finding(
            f"spikes that come unevenly, and errors handed on from layer to layer{integers} cost "
            f"{evidence.lost_to_spikes:.1f} points beyond that",
            "; ".join((*ways, *remedies.longer, *remedies.trained)),
        )


def _integers(evidence: Evidence) -> Iterable[Finding]:
    if not evidence.integers_cost:
        return
    advice = "; ".join(evidence.remedies.against_integers)
    yield Finding(
        f"the chip's integers cost {evidence.lost(INTEGER_STAGE):.1f} points that spikes in floating point keep", advice
    )
    zeros = [each for each in evidence.rounding if each.zeros >= ZEROS]
    for each in sorted(zeros, key=lambda each: each.zeros, reverse=True)[:NAMED]:
        yield Finding(
            f"{_readout(each)}{100 * each.zeros:.0f} % of its weights for {each.source} round to 0",
            advice,
            each.where,
        )
    thresholds = {each.where: each.threshold for each in evidence.rounding if each.threshold is not None}
    coarse = sorted((value, where) for where, value in thresholds.items() if value < COARSE_THRESHOLD)
    for value, where in coarse[:NAMED]:
        yield Finding(
            f"its threshold is {value} weight units, so that weights and potentials are coarse parts of it",
            advice,
            where,
        )


def _readout(rounding: SynapseRounding) -> str:
    return "the readout: " if rounding.is_readout else ""


def _dead(evidence: Evidence) -> Iterable[Finding]:
    for each in [layer for layer in evidence.layers if _is_dead(layer)][:NAMED]:
        yield Finding(
            "none of its neurons ever fires, so that nothing after it depends on it",
            "; ".join((*evidence.remedies.chosen, *evidence.remedies.separate, *evidence.remedies.longer)),
            each.where,
        )


def _is_dead(layer: LayerErrors) -> bool:
    """Return whether a layer that the ANN activates sends nothing."""
    return layer.rate == 0 and layer.silent > 0


def _larger_thresholds(evidence: Evidence) -> tuple[str, ...]:
    remedies = evidence.remedies
    if remedies.learned:
        return remedies.longer
    if remedies.weighed:
        why = ", since --threshold auto has weighed larger thresholds against coarser levels already"
        return tuple(f"{each}{why}" for each in remedies.longer)
    return "--threshold auto, or data-driven with --objective 2, which choose larger thresholds", *remedies.longer


def _larger(evidence: Evidence) -> str:
    return "; ".join(_larger_thresholds(evidence))


def _truer(evidence: Evidence) -> str:
    remedies = evidence.remedies
    if "bias" in remedies.corrections:
        why = ", since --calibrate bias has corrected it on these already"
        return "; ".join((*remedies.waited, *remedies.longer, *(f"{each}{why}" for each in remedies.sampled)))
    if remedies.corrections:
        return f"--calibrate {','.join((*remedies.corrections, 'bias'))}"
    return f"{calibrate_option()}, or bias alone, which is sooner done"


def _sooner(evidence: Evidence) -> str:
    ways = (*evidence.remedies.longer, *evidence.remedies.separate)
    return f"{' or '.join(ways)}: their activations are small beside the threshold" if ways else ""


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
    if evidence.has_floating and not evidence.integers_cost:
        return
    target = evidence.target
    largest = [(each.largest_weight, each.where) for each in evidence.layers if each.largest_weight is not None]
    coarse = (target.weight_maximum + target.weight_step) >> COARSE
    for weight, where in sorted(each for each in largest if each[0] <= coarse)[:NAMED]:
        yield Finding(
            f"its largest weight is {weight} of {target.weight_maximum}: weights have fewer than "
            f"{target.weight_bits - COARSE + 1} of {target.weight_bits} bits",
            "; ".join(evidence.remedies.against_integers),
            where,
        )


RULES: tuple[Callable[[Evidence], Iterable[Finding]], ...] = (
    _overflow,
    _normalisation,
    _network,
    _input,
    _unlike,
    _clipping,
    _rounding,
    _spikes,
    _integers,
    _dead,
    _layer_rule(
        lambda layer: layer.clipped,
        0.05,
        "{:.0f} % of its activations' sum lie above the thresholds and are lost",
        _larger,
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
        lambda layer: 0.0 if _is_dead(layer) else layer.silent,
        0.1,
        "{:.0f} % of the neurons that the ANN activates never fire",
        _sooner,
    ),
    _layer_rule(
        lambda layer: layer.saturated,
        0.05,
        "{:.0f} % of its neurons fire in every step and can say no more",
        _larger,
    ),
    _weights,
)
