"""How long a run on Lava takes, from its first steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """What a network was seen to take.

    Attributes:
        start: Seconds from nothing to the end of the first step: building, starting, compiling.
        step: Seconds for each step after it.
    """

    start: float
    step: float

    def seconds(self, steps: int, networks: int = 0) -> float:
        """Seconds for so many steps, and for starting so many networks more."""
        return self.step * steps + self.start * networks


def mean_pace(paces: Sequence[Pace]) -> Pace:
    """The mean of several, at least one."""
    return Pace(
        *(sum(values) / len(paces) for values in zip(*((each.start, each.step) for each in paces), strict=True))
    )
