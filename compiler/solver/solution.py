"""What a solver answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Solution:
    """A threshold with its initial potential.

    Attributes:
        threshold: Vth, the largest representable activation, > 0, in units of the activations.
        potential: v0, the membrane potential at the start, 0 <= v0 <= Vth.
        error: Sum over the positive activations of |activation - rate| ** m (paper, equation 9, not divided by their
            number), in units of the activations to the power m.
    """

    threshold: float
    potential: float
    error: float
