"""Compiling and running in several processes that torchrun started.

Each takes a share of the data, and what they find is merged by sums of integers, minima and maxima, so that the result
is the one that a single process gets.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from snnc.compiler.conversion.solver import ActivationSketch
    from snnc.compiler.ir import ActivationProfile

# What was sent last, kept until the connection is closed: gloo's thread lets go of a tensor some time after it has
# arrived. Were it the last to do so, it would need Python's lock, which the closing holds while it waits for that
# thread. Of earlier ones it may be the last to let go: then nobody holds that lock and waits.
_SENT: deque[torch.Tensor] = deque(maxlen=16)
# What torchrun sets in each of its processes.
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Processes:
    """This process among those that work together.

    Attributes:
        rank: Which one this is, 0..count-1; only 0 prints and writes.
        count: How many there are; 1 without torchrun.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    def share(self, batches: Sequence[int]) -> Sequence[int]:
        """Return those of the batches that are this process's."""
        return batches[self.rank :: self.count]

    def part(self, count: int) -> slice:
        """Return which of so many samples are this process's: as many as the others', give or take one, in order."""
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def add_up(self, array: NDArray[Any]) -> None:
        """Replace an array of integers by its sum over all processes, in place; all of them have to call it."""
        if self.count > 1:
            _reduce(array, "SUM")

    def least(self, value: int) -> int:
        """Return the least of the values that the processes have; all of them have to call it."""
        values = np.array([value])
        if self.count > 1:
            _reduce(values, "MIN")
        return int(values[0])

    def merge(self, profile: ActivationProfile) -> None:
        """Make each process's profile of a layer that of all data: counts add up, ranges widen.

        All processes have to call it, for the same layers in the same order.
        """
        if self.count == 1:
            return
        _reduce(profile.drive_minimum, "MIN")
        _reduce(profile.drive_maximum, "MAX")
        if profile.activations is not None:
            _merge(profile.activations)


def launched() -> Processes:
    """Return the processes that torchrun started; this one alone where it did not."""
    if not all(name in os.environ for name in VARIABLES):
        return Processes()
    return Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def connected(processes: Processes) -> Iterator[None]:
    """Connect the processes for as long as the block lasts."""
    if processes.count == 1:
        yield
        return
    from torch import distributed

    distributed.init_process_group("gloo", rank=processes.rank, world_size=processes.count)
    try:
        yield
    finally:
        distributed.destroy_process_group()
        _SENT.clear()


def _merge(sketch: ActivationSketch) -> None:
    covered = sketch.octaves > 0
    first = np.array([sketch.octave if covered else np.iinfo(np.int64).max])
    end = np.array([sketch.octave + sketch.octaves if covered else 0])
    total = np.array([sketch.total])
    _reduce(first, "MIN")
    _reduce(end, "MAX")
    _reduce(total, "SUM")
    _reduce(sketch.maximum, "MAX")
    sketch.expect(int(total[0]) - sketch.total)
    sketch.total = int(total[0])
    if end[0]:
        sketch.cover(int(first[0]), int(end[0]))
        _reduce(sketch.counts, "SUM")


def _reduce(array: NDArray[Any], operation: str) -> None:
    """Replace an array by its sum, minimum or maximum over the processes, elementwise and in place."""
    import torch

    reduce_tensor(torch.from_numpy(array), operation)


def reduce_tensor(tensor: torch.Tensor, operation: str = "SUM") -> None:
    """Replace a tensor on the CPU by its sum, minimum or maximum over the connected processes, in place.

    Args:
        tensor: Of the same shape and type in all processes, all of which have to call this.
        operation: ``SUM``, ``MIN`` or ``MAX``.
    """
    from torch import distributed

    _SENT.append(tensor)
    distributed.all_reduce(tensor, op=getattr(distributed.ReduceOp, operation))
