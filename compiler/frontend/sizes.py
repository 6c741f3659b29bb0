"""Arithmetic on sizes, for networks that files describe: numbers that are known once the network runs."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ARITHMETIC"]

# torch's own numbers end here. Python's do not, and a file could let them grow until no memory is left.
_LIMIT = 1 << 63


def add_sizes(first: int, second: int) -> int:
    """The sum."""
    return _bounded(first + second)


def subtract_sizes(first: int, second: int) -> int:
    """The difference."""
    return _bounded(first - second)


def multiply_sizes(first: int, second: int) -> int:
    """The product."""
    return _bounded(first * second)


def divide_sizes(first: int, second: int) -> int:
    """The quotient, rounded down."""
    return _bounded(first // second)


def _bounded(number: int) -> int:
    if not -_LIMIT <= number < _LIMIT:
        raise OverflowError("a size has more than 64 bits")
    return number


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": add_sizes,
    "sub": subtract_sizes,
    "mul": multiply_sizes,
    "floordiv": divide_sizes,
}
