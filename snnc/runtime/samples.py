"""Samples of a run: whether they fit, and pieces of them that are computed at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import DataError
from snnc.program import InputCoding


def check_levels(coding: InputCoding, levels: NDArray[np.uint8]) -> None:
    """Refuse samples that a network cannot take.

    Args:
        coding: The network's input.
        levels: Input levels, (samples, *input shape).

    Raises:
        DataError: There are no samples, or their shape does not fit.
    """
    if not len(levels) or levels.shape[1:] != coding.shape:
        raise DataError(
            "the data do not fit the network",
            expected=f"at least one sample of shape {coding.shape}",
            found=f"{len(levels)} of shape {tuple(levels.shape[1:])}",
        )


def pieces(samples: int, size: int) -> list[slice]:
    """Return the samples in pieces of a size, the last one of what is left."""
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]
