"""Chips by name, and the kinds of neurons that they can be given."""

from __future__ import annotations

from typing import Literal, get_args

from snnc.common.errors import OptionError, TargetError
from snnc.program.targets.target import Target

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


_TARGETS: dict[str, Target] = {}
_ALIASES: dict[str, str] = {}


def register(target: Target, *aliases: str) -> Target:
    """Make a chip one that networks are compiled for; each has a file in ``chips/`` that calls this.

    Args:
        target: The chip.
        aliases: Further names that stand for it.

    Returns:
        The chip.
    """
    _TARGETS[target.name] = target
    _ALIASES.update(dict.fromkeys(aliases, target.name))
    return target


def target_names() -> tuple[str, ...]:
    """Return every name that `get_target` takes, aliases included, in alphabetical order."""
    return tuple(sorted({*_TARGETS, *_ALIASES}))


def get_target(name: str) -> Target:
    """Look a target up by its name.

    Args:
        name: One of `target_names`; ``loihi`` stands for ``loihi2``.

    Returns:
        The target. Its ``name`` is the chip's own, also where an alias was given.

    Raises:
        TargetError: There is no target of that name; the message lists those that there are.
    """
    target = _TARGETS.get(_ALIASES.get(name, name))
    if target is None:
        raise TargetError("unknown target", expected=f"one of {', '.join(target_names())}", found=repr(name))
    return target
