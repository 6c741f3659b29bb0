"""What a layer has sent and others have yet to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.program import InputCoding


@dataclass(frozen=True)
class Span:
    """Steps of a layer's window, counted from the one in which its first input arrives.

    With lead k the window has T + k steps: input arrives in the first T, spikes leave in the last T.

    Attributes:
        first: The first step.
        end: The step after the last one.
        timesteps: T.
        lead: k, 0..T.
    """

    first: int
    end: int
    timesteps: int
    lead: int

    @property
    def arriving(self) -> int:
        """Steps in which input arrives; they come before the others."""
        return max(0, min(self.end, self.timesteps) - self.first)

    @property
    def silent(self) -> int:
        """Steps in which the layer may not fire yet; they come first, and bring input."""
        return max(0, min(self.end, self.lead) - self.first)

    @property
    def spikes(self) -> slice:
        """Which of a sample's spikes leave, of 0..T - 1."""
        return slice(max(0, self.first - self.lead), max(0, self.end - self.lead))

    @property
    def is_last(self) -> bool:
        """Whether the window ends with the last step."""
        return self.end == self.timesteps + self.lead


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
    """Code a batch.

    Args:
        coding: How levels become the first layer's input.
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


class WaitingSpikes:
    """A layer's spikes from the first step that some reader still wants.

    Args:
        readers: The layers that read them, by index.

    Attributes:
        end: Steps that were sent so far.
    """

    def __init__(self, readers: Sequence[int]) -> None:
        self.end = 0
        self._first = 0
        self._taken = dict.fromkeys(readers, 0)
        self._spikes: torch.Tensor | None = None

    def add(self, spikes: torch.Tensor) -> None:
        """Add the next steps, (steps, batch, *shape), which nobody else changes."""
        self.end += len(spikes)
        self._spikes = spikes if self._spikes is None else torch.cat([self._spikes, spikes])

    def get(self, first: int, end: int) -> torch.Tensor:
        """Return the steps from ``first`` to ``end``, which are there; (end - first, batch, *shape), a view."""
        assert self._spikes is not None
        return self._spikes[first - self._first : end - self._first]

    def taken(self, reader: int, end: int) -> None:
        """Note that a reader has taken the steps before ``end``, and forget what all have."""
        self._taken[reader] = end
        least = min(self._taken.values())
        if self._spikes is None or least == self._first:
            return
        # A view would keep all of it.
        self._spikes = None if least == self.end else self._spikes[least - self._first :].clone()
        self._first = least
