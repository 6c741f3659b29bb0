"""Targets by name."""

from __future__ import annotations

from snnc.common.errors import TargetError
from snnc.program.targets.target import Target

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
