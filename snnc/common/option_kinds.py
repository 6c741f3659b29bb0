"""The kinds of values that options take, and how Python, the command line and a ``snnc.toml`` write them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.common.errors import OptionError

# What a command line or a snnc.toml holds, and what a file records: a value, or several.
Plain = str | int | float | bool
Recorded = Plain | tuple[float, ...] | tuple[str, ...]

# What may be chosen about one of our networks: its activations and its poolings.
ACTIVATION_NAMES = ("relu", "clipped", "qcfs")
POOLING_NAMES = ("max", "average")

# Bytes of a unit; without one a number counts mebibytes.
UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Kind:
    """What values an option takes, and how each place writes them.

    Attributes:
        name: In a word, as the documentation has it.
        expected: In words with an example, as errors about a ``snnc.toml`` have it.
        from_file: The value of the command line for one of a ``snnc.toml``; None for one of the wrong type.
        from_text: The option's value for a text of the command line and the flag that it stood after; None where the
            command line reads the value by its type.
        plain: The value in its plain form: numbers, texts, or a tuple of them; equal for values that mean the same.
    """

    name: str
    expected: str
    from_file: Callable[[object], Plain | None]
    from_text: Callable[[str, str], object] | None = None
    plain: Callable[[Any], Recorded] = lambda value: value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _integer(value: object) -> int | None:
    # In Python True is an integer, in TOML it is none.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _several(one: Callable[[object], Plain | None]) -> Callable[[object], str | None]:
    """Return what reads one value, or a list of them, as the command line has them: with commas between."""

    def joined(value: object) -> str | None:
        parts = [one(each) for each in (value if isinstance(value, list) else [value])]
        return None if not parts or None in parts else ",".join(map(str, parts))

    return joined


def memory_size(text: str, where: str = "--memory") -> int:
    """Return ``2G``, ``512M`` or ``512`` (mebibytes) as a number of bytes.

    Raises:
        OptionError: It is something else, or nothing.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise OptionError("cannot be understood", where=where, expected="such as 512M or 2G", found=repr(text))
    return size


def numbers(text: str, where: str) -> tuple[float, ...]:
    """Return ``0.5`` or ``0.5,0.4,0.3`` as numbers.

    Raises:
        OptionError: It is something else.
    """
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise OptionError(
            "cannot be understood",
            where=where,
            expected="a number, or one for each channel with commas between them",
            found=repr(text),
        ) from None


def as_numbers(value: float | Sequence[float], name: str) -> tuple[float, ...]:
    """Return one number, or one for each channel, as a tuple.

    Args:
        value: What was given in Python.
        name: The argument, and the flag without its dashes.

    Raises:
        OptionError: There is none, or one is not finite.
    """
    found = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    if not found or not all(map(math.isfinite, found)):
        raise OptionError(
            "is not a finite number, or one for each channel",
            where=f"{name} (--{name})",
            found=" ".join(map(str, found)) or "no number",
        )
    return found


def _integers(text: str, where: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise OptionError(
            "cannot be understood",
            where=where,
            expected="numbers of steps with commas between them, such as 1,2,4",
            found=repr(text),
        ) from None


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(name for each in parts if (name := each.strip()))


def _floats(value: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)


TEXT = Kind("text", "a text in quotes", _text, lambda text, _: text)
# Relative paths in a file begin at its folder, and Python code that it names is not run without --trust.
PATH = Kind("path", 'a path in quotes, such as "model.pt"', _text, lambda text, _: Path(text), str)
DATA = Kind("data", 'data in quotes, such as "digits", "cifar10:data" or "images/"', _text, lambda text, _: text)
ARCHITECTURE = Kind("network", 'a network in quotes, such as "resnet20" or "mynet:Net"', _text, lambda text, _: text)
INTEGER = Kind("integer", "an integer, such as 8", _integer)
INTEGERS = Kind(
    "integer or list", "an integer or a list of them, such as [1, 2, 4]", _several(_integer), _integers, tuple
)
NUMBER = Kind("number", "a number, such as 0.5", _number)
NUMBERS = Kind(
    "number or list", "a number or a list of them, such as [0.485, 0.456, 0.406]", _several(_number), numbers, _floats
)
NAMES = Kind(
    "text or list",
    'names, such as "weights,spread,bias" or ["weights", "bias"]',
    _several(_text),
    lambda text, _: _names(text),
    _names,
)
SWITCH = Kind("`true` or `false`", "true or false", _switch)
SIZE = Kind(
    "size", 'a size, such as "512M" or "2G"', lambda value: _text(value) or _several(_integer)(value), memory_size
)
