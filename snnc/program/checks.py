"""The words in which values are refused, the same for whoever reads a network and whoever writes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import FormatError, SnncError

ADVICE = "compile the network again"


class Checks:
    """Checks values that stand in one place.

    Args:
        where: The place, for errors.
        advice: What the user can do about a value that is wrong; None where that is nothing.
        error: The class of the errors.
    """

    def __init__(self, where: str, *, advice: str | None = ADVICE, error: type[SnncError] = FormatError) -> None:
        self._where = where
        self._advice = advice
        self._error = error

    def at(self, *path: str | int) -> Checks:
        """Return the checks of a place within this one."""
        return Checks("/".join(map(str, (self._where, *path))), advice=self._advice, error=self._error)

    def error(self, problem: str, *, expected: str | None = None, found: str | None = None) -> SnncError:
        """Return the error for this place."""
        return self._error(problem, where=self._where, expected=expected, found=found, advice=self._advice)

    def integer(self, name: str, value: object, low: int, high: int) -> None:
        """Make sure that a value is an integer within [low, high]."""
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise self.error(f"{name} has the wrong type", expected="an integer", found=type(value).__name__)
        self.within(name, np.asarray(value), low, high)

    def integers(self, name: str, values: object, shape: tuple[int | None, ...], low: int, high: int) -> None:
        """Make sure that values are integers within [low, high].

        Args:
            name: What they are.
            values: An array, or a sequence of numbers.
            shape: What the shape must be; None inside it: any length.
            low: Smallest allowed value.
            high: Largest allowed value.
        """
        array = np.asarray(values)
        self.form(name, array, shape, "iu")
        self.within(name, array, low, high)

    def floats(self, name: str, values: object, shape: tuple[int | None, ...]) -> None:
        """Make sure that values are finite floating-point numbers of a shape."""
        array = np.asarray(values)
        self.form(name, array, shape, "f")
        if not np.isfinite(array).all():
            raise self.error(f"{name} holds NaN or infinity")

    def form(self, name: str, array: Any, shape: tuple[int | None, ...], kinds: str) -> None:
        """Make sure that an array has a shape and one of some kinds of numbers; nothing of it is read.

        Args:
            name: What it is.
            array: Anything with ``shape`` and ``dtype``; a shape of None is that of an empty array.
            shape: What the shape must be; None inside it: any length.
            kinds: Letters of numpy's kinds.
        """
        if array.shape is None or array.dtype.kind not in kinds:
            raise self.error(f"{name} has the wrong type", found=str(array.dtype))
        fits = len(shape) == len(array.shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits:
            wanted = tuple("any" if axis is None else axis for axis in shape)
            raise self.error(f"{name} has the wrong shape", expected=str(wanted), found=str(array.shape))

    def within(self, name: str, array: NDArray[Any], low: int, high: int) -> None:
        """Make sure that all of an array lies within [low, high]."""
        if array.size and (array.min() < low or array.max() > high):
            raise self.error(
                f"{name} is out of range", expected=f"{low}..{high}", found=f"{array.min()}..{array.max()}"
            )

    def choice(self, name: str, value: object, *choices: str) -> None:
        """Make sure that a value is one of several strings."""
        if value not in choices:
            raise self.error(f"unknown {name}", expected=" or ".join(choices), found=repr(value))

    def text(self, name: str, value: object) -> None:
        """Make sure that a value is a string that can be shown."""
        if not isinstance(value, str):
            raise self.error(f"{name} is not a string", found=type(value).__name__)
        self.shown(name, value)

    def names(self, name: str, value: object) -> None:
        """Make sure that a value is a tuple of strings that can be shown."""
        if not (isinstance(value, tuple) and all(isinstance(each, str) for each in value)):
            raise self.error(f"{name} is not a list of names")
        self.shown(name, value)

    def shown(self, name: str, value: object) -> None:
        """Make sure that texts, however deep they lie, can be shown on terminals, which they must not steer."""
        if isinstance(value, str):
            if not value.isprintable():
                raise self.error(f"{name} holds control characters")
        elif isinstance(value, Mapping):
            for each in (*value, *value.values()):
                self.shown(name, each)
        elif isinstance(value, list | tuple):
            for each in value:
                self.shown(name, each)
