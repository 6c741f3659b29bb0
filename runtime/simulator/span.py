"""Some steps of a layer's window: which of them bring input, and in which it may fire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Steps of a layer's window, counted from the one in which its first input arrives.

    With lead k the window has T + k steps: input arrives in the first T, spikes leave in the last T.

    Attributes:
        first: The first step.
        end: The step behind the last one.
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
