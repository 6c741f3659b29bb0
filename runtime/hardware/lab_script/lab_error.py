"""What goes wrong, in one line."""

from __future__ import annotations


class LabError(Exception):
    """Something that whoever runs this can mend."""


def one_line(error: BaseException) -> str:
    """An error's kind and text."""
    return " ".join(f"{type(error).__name__}: {error}".split())
