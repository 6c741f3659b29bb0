"""Words and figures: how numbers, shapes, synapses and layers are written, in the terminal and on the page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from snnc.program import CompiledNetwork, Layer, NeuronLayer, SigmaDeltaProgram, Synapse
from snnc.program.bounds import Safety
from snnc.program.targets import Target


def weight_bits(layer: NeuronLayer) -> int:
    """Return the bits that the largest weight of a layer takes as the chip stores it, the sign included.

    Weights of both signs are even and their last bit is dropped, so that 254 and -256 take 8 bits.
    """
    weights = [each.weight.astype(np.int64) for each in layer.synapses]
    lowest, highest = (int(of([of(each, initial=0) for each in weights])) for of in (np.min, np.max))
    if lowest >= 0:
        # Nothing has to be said of the sign.
        return max(1, highest.bit_length())
    step = 1 if any((each % 2).any() for each in weights) else 2
    return _signed(lowest // step, highest // step)


def membrane_bits(limits: tuple[int, int], target: Target) -> int:
    """Return the bits that a range of membrane potentials takes in the chip's state, the sign included.

    Args:
        limits: Smallest and largest potential, in weight units.
        target: The chip, whose state is finer than weight units by some bits.
    """
    return _signed(*limits) + target.synaptic_input_shift


def _signed(lowest: int, highest: int) -> int:
    """Return the bits of a two's complement number that holds both."""
    return 1 + max((~lowest if lowest < 0 else lowest).bit_length(), max(0, highest).bit_length())


_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def joules(value: float | None) -> str:
    """Return an energy with three digits: ``7.83 mJ``; a dash for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0 J"
    factor, prefix = next((each for each in _PREFIXES if value >= each[0]), _PREFIXES[-1])
    return f"{value / factor:#.3g}".rstrip(".") + f" {prefix}J"


def count(value: float) -> str:
    """Return a count: ``12,345``; what is no whole number as it is."""
    return f"{value:,}"


def whole(value: float) -> str:
    """Return a count, rounded: ``12,345``."""
    return f"{round(value):,}"


def percent(value: float) -> str:
    """Return a share of 1 in percent, without the sign, which the title has: ``97.8``."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """Return a difference of two shares in percent, with its direction: ``-0.4``."""
    return f"{100 * value:+.1f}"


def decimals(digits: int) -> Callable[[float], str]:
    """Return what writes a number with so many digits after the point."""
    return f"{{:.{digits}f}}".format


def significant(digits: int) -> Callable[[float], str]:
    """Return what writes a number with so many digits that count."""
    return f"{{:.{digits}g}}".format


@singledispatch
def duration(program: CompiledNetwork) -> str:
    """Return what says how long a network looks at a sample: ``T = 8``."""
    return f"T = {program.timesteps}"


@duration.register
def _(program: SigmaDeltaProgram) -> str:
    # Such a network has no T.
    return f"sigma-delta neurons, {program.timesteps:,} steps a sample"


@singledispatch
def timing(program: CompiledNetwork) -> str:
    """Return ``T = 8, lead 4, 13 steps a sample, 110 until its result``; no lead where there is none."""
    lead = f", lead {program.lead:,}" if program.lead else ""
    return f"{duration(program)}{lead}, {program.interval:,} steps a sample, {program.latency:,} until its result"


@timing.register
def _(program: SigmaDeltaProgram) -> str:
    return duration(program)


def figures(values: Mapping[str, int | float | str]) -> str:
    """Return named figures: ``folded 2, error 0.0886``."""
    return ", ".join(
        f"{name.replace('_', ' ')} {f'{value:.3g}' if isinstance(value, float) else value}"
        for name, value in values.items()
    )


def share(value: float) -> str:
    """Return a share of 1 as a percentage: ``97.78 %``."""
    return f"{100 * value:.2f} %"


def shape(value: tuple[int, ...]) -> str:
    """Return ``16×8×8``."""
    return "×".join(map(str, value))


def span(limits: tuple[int, int] | None) -> str:
    """Return ``-1,200 .. 3,400``; a dash for None."""
    return "-" if limits is None else f"{limits[0]:,} .. {limits[1]:,}"


def scales(values: NDArray[np.float64]) -> str:
    """Return one number, or the smallest and largest of several: ``1.31 .. 2.75``."""
    low, high = float(values.min()), float(values.max())
    return f"{low:.3g}" if low == high else f"{low:.3g} .. {high:.3g}"


def synapse(value: Synapse) -> str:
    """Return ``conv 3×3, 16→32`` and what differs from the default; ``dense 128→64``; ``sparse, 96 weights``."""
    text = _connections(value)
    return f"{text}, weights × {1 << value.exponent}" if value.exponent else text


def _connections(value: Synapse) -> str:
    if value.kind == "sparse":
        return f"sparse, {len(value.weight):,} weights"
    out, inputs = value.weight.shape[0], value.weight.shape[1]
    if value.kind == "dense":
        return f"dense {inputs:,}→{out:,}"
    text = f"conv {shape(value.weight.shape[2:])}, {inputs * value.groups}→{out}"
    for name, pair, usual in (
        ("stride", value.stride, (1, 1)),
        ("pad", value.padding, (0, 0)),
        ("dilation", value.dilation, (1, 1)),
    ):
        if pair != usual:
            text += f", {name} {pair[0] if pair[0] == pair[1] else shape(pair)}"
    return text if value.groups == 1 else f"{text}, {value.groups} groups"


def synapses(program: CompiledNetwork, index: int) -> str:
    """Return all synapses of a layer, with where they come from and how long spikes wait, where that is not usual."""
    return " + ".join(synapse(each) + _origin(program, index, each) for each in program.layers[index].synapses)


def unbroken(text: str) -> str:
    """Return what :func:`synapses` says with no line broken between a word and its number, as in ``pad 1``."""
    return re.sub(r"(?<=[a-z×]) (?=\d)", "\N{NO-BREAK SPACE}", text)


def _origin(program: CompiledNetwork, index: int, value: Synapse) -> str:
    """Return ``(from conv1, 2 steps later)``; nothing for a synapse from the layer before."""
    notes = []
    if value.source != index - 1:
        notes.append("from the input" if value.source < 0 else f"from {program.layers[value.source].name}")
    if delay := program.delay(index, value):
        notes.append(f"{delay:,} step{'s' if delay > 1 else ''} later")
    return f" ({', '.join(notes)})" if notes else ""


@singledispatch
def layer(value: NeuronLayer) -> str:
    """Return a layer's name, and what is unusual about its neurons."""
    return f"{value.name} (readout)" if value.is_readout else value.name


@layer.register
def _(value: Layer) -> str:
    name = layer.dispatch(NeuronLayer)(value)
    return f"{name} (memoryless)" if value.memoryless and not value.is_readout else name


def modules(value: NeuronLayer) -> str:
    """Return the modules that a layer was made of, where its name does not say so."""
    return "" if value.modules == (value.name,) else ", ".join(value.modules)


def clipping_notes(clipped: float) -> list[str]:
    """Return a note where input values lay outside what the calibration data spanned, else none.

    Args:
        clipped: Their share, 0..1.
    """
    if not clipped:
        return []
    return [
        f"{100 * clipped:.3g} % of the input values lie outside what the calibration data spanned, and were clipped "
        "to it"
    ]


def predictions_sentence(predictions: NDArray[np.int64], classes: Sequence[str] | None) -> str:
    """Return how many samples each class was predicted of, where there are no labels."""
    counts = [(int((predictions == each).sum()), int(each)) for each in sorted(set(predictions.tolist()))]
    named = (f"{classes[each] if classes else each}: {count:,}" for count, each in counts)
    return f"predictions (no labels to compare with): {', '.join(named)}"


def safety(value: Safety) -> str:
    """Return ``proven not to overflow`` or ``no overflow on 512 calibration samples with margin 2.3``, and the like.

    It speaks of membrane potentials alone: what a network is worth is another question.
    """
    if value.proven:
        return "proven not to overflow"
    if value.margin is None:
        return "overflow is neither excluded nor measured"
    if value.margin < 1:
        return f"overflows on {value.samples:,} calibration samples"
    return f"no overflow on {value.samples:,} calibration samples with margin {margin(value.margin)}"


def margin(value: float) -> str:
    """Return how many times as far something may go: ``2.3``, ``14``; rounded down, so that it is never too much."""
    if not math.isfinite(value):
        return "∞"
    return f"{math.floor(10 * value) / 10:.1f}" if value < 10 else f"{math.floor(value):,}"


def overall_safety(values: Sequence[Safety]) -> str:
    """Return one sentence on the membranes of all layers."""
    proven = sum(each.proven for each in values)
    if proven == len(values):
        return "membrane potentials: every layer is proven not to overflow, whatever the input"
    others = [each for each in values if not each.proven]
    worst = min(others, key=lambda each: -1.0 if each.margin is None else each.margin)
    count = "the other" if len(others) == 1 else f"the other {len(others)}"
    more = " or more" if len(others) > 1 and (worst.margin or 0) >= 1 else ""
    return (
        f"membrane potentials: {proven} of {len(values)} layers are proven not to overflow, whatever the input; "
        f"{count}: {safety(worst)}{more}"
    )
