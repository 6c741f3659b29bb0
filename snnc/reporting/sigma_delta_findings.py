"""What stands out in a sigma-delta network, and what to try."""

from __future__ import annotations

from snnc.compiler.program import SigmaDeltaProgram
from snnc.diagnosis import Finding
from snnc.validation import Validation

# Share of the samples whose prediction may differ from the ANN's without a word.
UNREMARKABLE = 0.01


def sigma_delta_findings(program: SigmaDeltaProgram, validation: Validation) -> tuple[Finding, ...]:
    """What is wrong, what spoils everything first.

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
    differing = 1 - validation.agreeing / validation.samples
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
