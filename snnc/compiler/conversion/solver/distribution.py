"""How often each activation occurs: what every search needs, whether it comes from an array or from a histogram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnc.common.arrays import FloatArray
from snnc.common.jit import compiled

Values = NDArray[np.float64]
# Values between two looks at whether to go on; pairs that are summed up apart, so that rounding errors stay apart too.
BLOCK = 4096


@compiled
def is_ascending(values: Values) -> bool:
    """Return whether no value (N,) is less than the one before it and none is NaN, but for a single value."""
    for begin in range(1, len(values), BLOCK):
        later, earlier = values[begin : begin + BLOCK], values[begin - 1 :]
        # Counted, since sums become vector instructions and early ends do not.
        orderly = np.int64(0)
        for index in range(len(later)):
            orderly += np.int64(later[index] >= earlier[index])
        if orderly < len(later):
            return False
    return True


@compiled
def best_median(values: Values) -> tuple[float, int, int]:
    """Return the edge n0 whose upper part ``values[n0:]`` gains most from being represented by its median.

    With K = N - n0 and the median at ``n1 = n0 + K // 2`` the gain is ``sum(values[n0:n1])``, and half of
    ``values[n1]`` more if K is odd: half of what the error falls if all from n0 on fire instead of none
    (docs/solver.md). K and K + 1 with odd K have the same median, and from one such pair to the next the sum takes in
    two values and loses one, so that all edges are compared in one pass, from the largest down.

    Args:
        values: (N,), ascending, N >= 1.

    Returns:
        The largest gain, n0 and n1.
    """
    count = len(values)
    gain, first, median = 0.5 * values[count - 1], count - 1, count - 1
    total = 0.0
    for begin in range(0, (count + 1) // 2, BLOCK):
        part = 0.0
        for pair in range(begin, min(begin + BLOCK, (count + 1) // 2)):
            odd, middle = count - 2 * pair - 1, count - pair - 1
            if pair:
                part += (values[odd] + values[odd + 1]) - values[middle]
            found = (total + part) + 0.5 * values[middle]
            if found > gain:
                gain, first, median = found, odd, middle
            if odd:
                found = (total + part) + values[odd - 1]
                if found > gain:
                    gain, first, median = found, odd - 1, middle
        total += part
    return gain, first, median


@dataclass(frozen=True)
class Solution:
    """A threshold with its initial potential.

    Attributes:
        threshold: Vth, the largest representable activation, > 0, in units of the activations.
        potential: v0, the membrane potential at the start, 0 <= v0 <= Vth.
        error: Sum over the positive activations of |activation - rate| ** m (paper, equation 9, not divided by their
            number), in units of the activations to the power m.
    """

    threshold: float
    potential: float
    error: float


IndexArray = NDArray[np.intp]


class Distribution:
    """Positive activations in ascending order, with counts and prefix sums.

    Zeros are left out: whatever the threshold, a neuron answers them with no spike and no error (as long as
    v0 < Vth). Use :meth:`of` for plain activations and :meth:`counted` for a histogram.

    Args:
        values: (groups,), finite, > 0, ascending; the same value may come more than once.
        counts: (groups,) integers >= 1: how often each value occurs; None: once.

    Attributes:
        values: As given, float64.
    """

    def __init__(self, values: FloatArray, counts: NDArray[np.int64] | None = None) -> None:
        self.values = values
        self._counts = counts

    @classmethod
    def of(cls, activations: ArrayLike, name: str = "activations") -> Distribution:
        """Return the distribution of plain activations.

        Args:
            activations: Any shape, finite, >= 0; sorted ones are not sorted again.
            name: What an error calls them.

        Raises:
            ValueError: There are none, one is NaN, infinite or negative, or none is positive.
        """
        given = np.asarray(activations, dtype=np.float64)
        values = np.ascontiguousarray(given).ravel()
        if not values.size:
            raise ValueError(f"{name}: expected at least one positive activation, found none at all")
        if not is_ascending(values):
            values = np.sort(values)
        # NaN and infinity sort to the ends, so that two looks are enough.
        if not (values[0] >= 0 and np.isfinite(values[-1])):
            raise ValueError(f"{name}{_first_bad(given)}")
        values = values[np.searchsorted(values, 0, "right") :]
        if not values.size:
            raise ValueError(f"{name}: expected at least one positive activation, found {given.size} zeros")
        return cls(values)

    @classmethod
    def counted(cls, values: ArrayLike, counts: ArrayLike, name: str = "activations") -> Distribution:
        """Return the distribution of a histogram.

        Args:
            values: (bins,), finite, >= 0, in any order.
            counts: (bins,) integers >= 0.
            name: What an error calls them.

        Raises:
            ValueError: As for :meth:`of`; or the shapes differ, a count is negative or no integer.
        """
        given, number = np.asarray(values, dtype=np.float64), np.asarray(counts)
        if given.ndim != 1 or given.shape != number.shape:
            raise ValueError(f"{name}: expected a value for each count, found shapes {given.shape} and {number.shape}")
        if number.size and not (np.issubdtype(number.dtype, np.integer) and number.min() >= 0):
            raise ValueError(f"{name}: expected counts that are integers >= 0, found {number.dtype}, {number.min()}")
        if not np.all(np.isfinite(given) & (given >= 0)):
            raise ValueError(f"{name}{_first_bad(given)}")
        kept = (number > 0) & (given > 0)
        if not kept.any():
            raise ValueError(f"{name}: expected at least one positive activation, found none")
        order = np.argsort(given[kept], kind="stable")
        return cls(given[kept][order], number[kept][order].astype(np.int64))

    def __len__(self) -> int:
        """Return the number of positive activations."""
        return len(self.values) if self._counts is None else int(self._cumulative[-1])

    @property
    def is_plain(self) -> bool:
        """Whether every value stands for one activation."""
        return self._counts is None

    @property
    def maximum(self) -> float:
        """The largest activation."""
        return float(self.values[-1])

    @property
    def total(self) -> float:
        """The sum of the activations."""
        return float(self.sums[-1])

    def power_sum(self, power: int) -> float:
        """Return the sum of the activations to the power 1 or 2."""
        return float((self.sums if power == 1 else self.squares)[-1])

    @cached_property
    def _cumulative(self) -> NDArray[np.int64]:
        assert self._counts is not None
        return np.concatenate((np.zeros(1, np.int64), np.cumsum(self._counts)))

    @cached_property
    def sums(self) -> FloatArray:
        """(groups + 1,): sum of the activations in the first so many groups."""
        return self._prefix(self.values)

    @cached_property
    def squares(self) -> FloatArray:
        """(groups + 1,): sum of the squared activations in the first so many groups."""
        return self._prefix(np.square(self.values))

    def _prefix(self, terms: FloatArray) -> FloatArray:
        prefix = np.zeros(len(terms) + 1)
        np.cumsum(terms if self._counts is None else terms * self._counts, out=prefix[1:])
        return prefix

    def number(self, groups: IndexArray) -> NDArray[np.int64]:
        """Return how many activations lie in the first so many groups, elementwise."""
        return groups.astype(np.int64, copy=False) if self._counts is None else self._cumulative[groups]

    def group(self, positions: ArrayLike) -> IndexArray:
        """Return the group that holds the activation at a position 0..N-1 in ascending order, elementwise."""
        index = np.asarray(positions, dtype=np.int64)
        if self._counts is None:
            return index.astype(np.intp, copy=False)
        return np.asarray(np.searchsorted(self._cumulative, index, "right") - 1)

    def below(self, bounds: FloatArray) -> IndexArray:
        """Return how many groups have values < a bound, elementwise."""
        return np.asarray(np.searchsorted(self.values, bounds))

    def merged(self) -> Distribution:
        """Return the same distribution with each value in one group."""
        first = np.concatenate(([True], self.values[1:] != self.values[:-1]))
        if first.all():
            return self
        starts = np.flatnonzero(first)
        ends = np.append(starts[1:], len(self.values))
        return Distribution(self.values[starts], self.number(ends) - self.number(starts))

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of the activations times a positive factor."""
        return Distribution(self.values * factor, self._counts)


def _first_bad(given: FloatArray) -> str:
    """Return which value cannot be an activation, and where it is."""
    where = np.argwhere(~(np.isfinite(given) & (given >= 0)))[0] if given.ndim else np.zeros(0, int)
    value = given[tuple(where)]
    expected = "a finite activation" if not np.isfinite(value) else "an activation >= 0, as a ReLU gives"
    return f"[{', '.join(map(str, where))}]: expected {expected}, found {value}"


# A way to choose thresholds: (distribution, T, m) to a solution.
Method = Callable[[Distribution, int, int], Solution]
