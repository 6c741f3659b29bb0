"""Targets by name."""

from __future__ import annotations

from snnc.common.errors import TargetError
from snnc.program.targets.loihi import LOIHI1, LOIHI2
from snnc.program.targets.target import Target

_TARGETS = {target.name: target for target in (LOIHI1, LOIHI2)}

# "loihi" is the chip that can be had today, and the one that Lava's processes are made for.
_ALIASES = {"loihi": "loihi2"}


def target_names() -> tuple[str, ...]:
    """Returns every name that `get_target` takes, aliases included, in alphabetical order."""
    return tuple(sorted({*_TARGETS, *_ALIASES}))


def get_target(name: str) -> Target:
    """Looks a target up by its name.

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
