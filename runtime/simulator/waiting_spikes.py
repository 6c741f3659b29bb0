"""What a layer has sent and others have yet to take."""

from __future__ import annotations

from collections.abc import Sequence

import torch


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
        """Adds the next steps, (steps, batch, *shape), which nobody else changes."""
        self.end += len(spikes)
        self._spikes = spikes if self._spikes is None else torch.cat([self._spikes, spikes])

    def get(self, first: int, end: int) -> torch.Tensor:
        """The steps from ``first`` to ``end``, which are there; (end - first, batch, *shape), a view."""
        assert self._spikes is not None
        return self._spikes[first - self._first : end - self._first]

    def taken(self, reader: int, end: int) -> None:
        """Notes that a reader has taken the steps before ``end``, and forgets what all have."""
        self._taken[reader] = end
        least = min(self._taken.values())
        if self._spikes is None or least == self._first:
            return
        # A view would keep all of it.
        self._spikes = None if least == self.end else self._spikes[least - self._first :].clone()
        self._first = least
