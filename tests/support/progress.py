"""Somebody who is told of progress and remembers all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Heard"]


@dataclass
class Heard:
    """A :class:`snnc.common.progress.Progress` that keeps what it was told.

    Attributes:
        begun: Title and total of each step.
        done: How much was done, each time that it was told.
        said: Sentences; None where there was nothing to say.
    """

    begun: list[tuple[str, int]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    said: list[str | None] = field(default_factory=list)

    def begin(self, title: str, total: int = 1) -> None:
        self.begun.append((title, total))

    def advance(self, done: int) -> None:
        self.done.append(done)

    def say(self, text: str | None) -> None:
        self.said.append(text)
