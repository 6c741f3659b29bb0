"""Whether a program fits the chip."""

from __future__ import annotations

from snnc.compiler.program import Layer, Program
from snnc.compiler.targets import Target
from snnc.errors import TargetError


def check_target(program: Program, target: Target) -> None:
    """Runs every rule on every layer.

    Raises:
        TargetError: A rule is broken; the message names the layer, the limit and what was used.
    """
    if program.coding.kind == "graded" and not target.graded_input:
        raise TargetError(f"{target.name} takes no graded spikes", where="input", expected="rate coding")
    for layer in program.layers:
        for rule in (_threshold, _weights, _gate):
            rule(layer, target)


def _broken(layer: Layer, problem: str, expected: str, found: int) -> TargetError:
    return TargetError(problem, where=layer.where, expected=expected, found=str(found))


def _threshold(layer: Layer, target: Target) -> None:
    limit = (1 << target.threshold_bits) - 1
    if layer.threshold and not 0 <= layer.firing_level - 1 <= limit:
        raise _broken(layer, "the threshold does not fit", f"0..{limit}", layer.firing_level - 1)


def _weights(layer: Layer, target: Target) -> None:
    for synapse in layer.synapses:
        for weight in (int(synapse.weight.min()), int(synapse.weight.max())):
            if not target.weight_minimum <= weight <= target.weight_maximum or weight % target.weight_step:
                limits = f"multiples of {target.weight_step} in {target.weight_minimum}..{target.weight_maximum}"
                raise _broken(layer, "a weight does not fit", limits, weight)


def _gate(layer: Layer, target: Target) -> None:
    for scaled in filter(None, (layer.threshold, layer.gate.pulse if layer.gate else None)):
        if scaled.mantissa > 255 or scaled.exponent > target.weight_exponent_maximum:
            limit = 255 << target.weight_exponent_maximum
            raise _broken(layer, "a synapse of threshold or gate does not fit", f"at most {limit}", scaled.value)
