"""What the network receives in some steps of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program import InputCoding


@dataclass(frozen=True, eq=False)
class InputSteps:
    """Input of some steps.

    Attributes:
        values: uint8, (rows, batch, *shape): all steps, or one period of them where they repeat themselves; a single
            row where the input is constant, so that what reads it is computed once.
        counts: Steps at which a value other than 0 arrives, summed over the samples; int64, of the input's shape.
    """

    values: torch.Tensor
    counts: NDArray[np.int64]


def input_steps(
    coding: InputCoding, levels: NDArray[np.uint8], first: int, steps: int, device: torch.device
) -> InputSteps:
    """Codes a batch.

    Args:
        coding: How levels become input.
        levels: (batch, *shape).
        first: The first step, from 0.
        steps: Number of steps.
        device: Where the values are wanted.
    """
    rows = min(coding.period, steps)
    values = coding.spikes(levels, rows, first).swapaxes(0, 1)
    # How often each row comes: all as often, the first ones once more.
    times = np.full(rows, steps // rows)
    times[: steps % rows] += 1
    counts = np.tensordot(times, np.count_nonzero(values, axis=1), 1).astype(np.int64)
    # A tensor must not share memory that cannot be written to.
    return InputSteps(torch.from_numpy(np.array(values, np.uint8, order="C")).to(device), counts)
