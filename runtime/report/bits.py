"""How many of the chip's bits a network uses."""

from __future__ import annotations

import numpy as np

from snnc.compiler.program import Layer, SigmaDeltaLayer
from snnc.compiler.targets import Target


def weight_bits(layer: Layer | SigmaDeltaLayer) -> int:
    """Bits that the largest weight of a layer takes as the chip stores it, the sign included.

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
    """Bits that a range of membrane potentials takes in the chip's state, the sign included.

    Args:
        limits: Smallest and largest potential, in weight units.
        target: The chip, whose state is finer than weight units by some bits.
    """
    return _signed(*limits) + target.synaptic_input_shift


def _signed(lowest: int, highest: int) -> int:
    """Bits of a two's complement number that holds both."""
    return 1 + max((~lowest if lowest < 0 else lowest).bit_length(), max(0, highest).bit_length())
