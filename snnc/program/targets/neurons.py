"""Which neurons a chip can be given."""

from __future__ import annotations

from typing import Literal, get_args

from snnc.common.errors import OptionError, TargetError

# Those that a chip can be given.
Neuron = Literal["if", "sdnn"]
DEPLOYABLE: tuple[Neuron, ...] = get_args(Neuron)
INTEGRATE_AND_FIRE: Neuron
SIGMA_DELTA: Neuron
INTEGRATE_AND_FIRE, SIGMA_DELTA = DEPLOYABLE
# Neurons that the float simulation has and no chip, with the reason.
REFUSED = {
    "snm": "a signed neuron with memory sends negative spikes and counts what it sent; the LIF process that Lava ships "
    "has spikes of one sign and no such count"
}


def check_neuron(neuron: str) -> None:
    """Make sure that a chip has a kind of neuron.

    Args:
        neuron: ``if``, ``sdnn``, or the name of another kind.

    Raises:
        TargetError: The kind is known, and no chip has it.
        OptionError: There is no such kind.
    """
    if neuron in REFUSED:
        raise TargetError(
            f"the neuron {neuron} cannot be compiled: {REFUSED[neuron]}",
            where="neuron (--neuron)",
            advice=f"compile with {INTEGRATE_AND_FIRE}; snnc.compiler.conversion.float_simulation runs {neuron}",
        )
    if neuron not in DEPLOYABLE:
        raise OptionError(
            "unknown neuron", where="neuron (--neuron)", expected=", ".join((*DEPLOYABLE, *REFUSED)), found=repr(neuron)
        )
