"""How long something takes, in words."""

from __future__ import annotations

# Whoever waits less than this need not be told.
SECONDS_TO_TELL = 20


def about(seconds: float) -> str:
    """A duration as one would say it: ``about 40 s``, ``about 12 min``, ``about 3.5 h``."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def long_run(seconds: float, samples: int) -> str | None:
    """What to say before a run goes on; None where it is short.

    Args:
        seconds: What it will still take.
        samples: All of its samples.
    """
    if seconds < SECONDS_TO_TELL:
        return None
    return f"{about(seconds)} for {samples:,} samples, as the first ones went"
