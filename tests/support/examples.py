"""How many examples tests look at that take seconds for each."""

from __future__ import annotations

from hypothesis import settings


def share(part: int) -> int:
    """One in so many of the profile's examples, 5 at least: long profiles then look at more of these as well."""
    return max(5, settings().max_examples // part)
