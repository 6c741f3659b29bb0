"""Random orders that are the same on every machine and with every version of numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["shuffled"]


def shuffled(count: int, seed: int) -> npt.NDArray[np.int64]:
    """Shuffle the numbers from 0 to ``count - 1``.

    numpy promises the same raw numbers of a bit generator for all time, but not the same ``Generator.permutation``; a
    calibration set that changed with numpy would change the compiled network.

    Args:
        count: How many numbers.
        seed: Any number from 0.

    Returns:
        A permutation of shape (count,).
    """
    raw = np.asarray(np.random.PCG64(seed).random_raw(count), dtype=np.uint64)
    return np.argsort(raw, kind="stable").astype(np.int64)
