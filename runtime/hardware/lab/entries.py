"""Reading typed entries of a JSON object that comes from elsewhere, with errors that name the place."""

from __future__ import annotations

import math
from typing import Any

from snnc.errors import FormatError

# Counts of spikes, steps and samples stay below this; so they do in 64 bits.
COUNT_MAXIMUM = 1 << 62
TEXT_MAXIMUM = 1000


class Entries:
    """One JSON object.

    Args:
        value: What stands where the object should.
        file: Name of the file, for errors.
        path: Where in it.
    """

    def __init__(self, value: object, file: str, path: str = "") -> None:
        self._file = file
        self._path = path
        if not isinstance(value, dict):
            raise self.error("is not an object")
        self._value: dict[str, Any] = value

    def error(self, problem: str, name: str = "", *, expected: str | None = None) -> FormatError:
        """The error for an entry, or for the object itself."""
        place = ".".join(part for part in (self._path, name) if part)
        return FormatError(
            f"{place} {problem}" if place else problem, where=self._file, expected=expected, advice="run the lab again"
        )

    def within(self, name: str) -> Entries:
        """An object inside it."""
        return Entries(self._any(name), self._file, f"{self._path}.{name}".strip("."))

    def within_or_none(self, name: str) -> Entries | None:
        """The same, or None for null."""
        return None if self._any(name) is None else self.within(name)

    def each(self, name: str) -> list[Entries]:
        """The objects of a list."""
        place = f"{self._path}.{name}".strip(".")
        return [Entries(each, self._file, f"{place}[{index}]") for index, each in enumerate(self._list(name))]

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(self._checked(name, each) for each in self._list(name))

    def named_texts(self, name: str) -> dict[str, str | None]:
        """An object of texts and nulls."""
        inside = self.within(name)
        return {self._checked(name, each): inside.text_or_none(each) for each in inside._value}

    def text(self, name: str) -> str:
        """One line that can be shown."""
        return self._checked(name, self._any(name))

    def text_or_none(self, name: str) -> str | None:
        """The same, or None for null."""
        return None if self._any(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._any(name)
        if not isinstance(value, bool):
            raise self.error("is neither true nor false", name)
        return value

    def count(self, name: str, lowest: int = 0, highest: int = COUNT_MAXIMUM) -> int:
        """A whole number."""
        value = self._any(name)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            limits = f"{lowest} or more" if highest == COUNT_MAXIMUM else f"{lowest} to {highest}"
            raise self.error("is not a count", name, expected=limits)
        return value

    def count_or_none(self, name: str, highest: int = COUNT_MAXIMUM) -> int | None:
        """The same, or None for null."""
        return None if self._any(name) is None else self.count(name, 0, highest)

    def amount(self, name: str) -> float:
        """A finite number that is not negative."""
        value = self._any(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
            raise self.error("is not an amount", name, expected="a finite number of at least 0")
        return float(value)

    def amount_or_none(self, name: str) -> float | None:
        """The same, or None for null."""
        return None if self._any(name) is None else self.amount(name)

    def _any(self, name: str) -> object:
        if name not in self._value:
            raise self.error("is missing", name)
        value = self._value[name]
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error("is not finite", name)
        return value

    def _list(self, name: str) -> list[object]:
        value = self._any(name)
        if not isinstance(value, list):
            raise self.error("is not a list", name)
        return value

    def _checked(self, name: str, value: object) -> str:
        # What is shown on a terminal must not steer it.
        if not isinstance(value, str) or not value.isprintable() or len(value) > TEXT_MAXIMUM:
            raise self.error("is not a line of text", name, expected=f"at most {TEXT_MAXIMUM} printable characters")
        return value
