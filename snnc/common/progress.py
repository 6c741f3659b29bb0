"""What long work tells of its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["PartOf", "Progress", "Told", "Unheard", "about", "long_run", "progress_of"]


class Progress(Protocol):
    """Somebody who is told how work goes on: a progress bar, a log, a program of the user's.

    Work consists of steps, one after the other. ``begin`` names the next one, ``advance`` says how much of it is done,
    ``say`` is for what one should know before it goes on.
    """

    def begin(self, title: str, total: int = 1) -> None:
        """Hear that the step before is done and the next one begins.

        Args:
            title: What happens, such as ``profiling activations``. The title of the step under way begins none.
            total: How many things (samples, say) it has to do; at least 1.
        """

    def advance(self, done: int) -> None:
        """Hear how many things of the current step are done, 0 to its total."""

    def say(self, text: str | None) -> None:
        """Hear one sentence that somebody who waits should know, such as how long the rest takes; None: nothing."""


class Unheard:
    """Progress that nobody looks at: what work tells where it was given none."""

    def begin(self, title: str, total: int = 1) -> None:
        """Do nothing."""

    def advance(self, done: int) -> None:
        """Do nothing."""

    def say(self, text: str | None) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class PartOf(Unheard):
    """Progress of a part of the step that is under way, which counts on from what the parts before it did.

    What the part begins is no step of its own.

    Attributes:
        whole: Who is told of the step.
        before: How many of its things were done before the part.
        says: Whether sentences are passed on: how long a part takes is nothing to who waits for the whole.
    """

    whole: Progress
    before: int = 0
    says: bool = True

    def advance(self, done: int) -> None:
        """Tell how many things of the whole step are done."""
        self.whole.advance(self.before + done)

    def say(self, text: str | None) -> None:
        """Pass a sentence on, where that is wanted."""
        if self.says:
            self.whole.say(text)


# A plain function in place of a Progress: the title of the step, how much of it is done, and how much there is.
Told = Callable[[str, int, int], None]


@dataclass
class _Calls(Unheard):
    """Tells a plain function."""

    tell: Told
    title: str = ""
    total: int = 1

    def begin(self, title: str, total: int = 1) -> None:
        """Tell it that nothing of the step is done."""
        if title != self.title:
            self.title, self.total = title, total
            self.tell(title, 0, total)

    def advance(self, done: int) -> None:
        """Tell it how much is done."""
        self.tell(self.title, done, self.total)


def progress_of(progress: Progress | Told | None) -> Progress:
    """Return what to tell of progress: who was given, a plain function in the form of one, or nobody."""
    if progress is None:
        return Unheard()
    if callable(progress):
        return _Calls(progress)
    return progress


# Whoever waits less than this need not be told.
SECONDS_TO_TELL = 20


def about(seconds: float) -> str:
    """Return a duration as one would say it: ``about 40 s``, ``about 12 min``, ``about 3.5 h``."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def long_run(seconds: float, samples: int) -> str | None:
    """Return what to say before a run goes on; None where it is short.

    Args:
        seconds: What it will still take.
        samples: All of its samples.
    """
    if seconds < SECONDS_TO_TELL:
        return None
    return f"{about(seconds)} for {samples:,} samples, as the first ones went"
