"""Compiling in several processes that torchrun started.

Each runs whole batches of the calibration data, and profiles are merged by sums of integers, minima and maxima, so
that the result is the one that a single process gets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from snnc.compiler.ir import ActivationProfile
    from snnc.compiler.solver import ActivationSketch

# What torchrun sets in each of its processes.
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Processes:
    """This process among those that compile together.

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
        """Those of the batches that are this process's."""
        return batches[self.rank :: self.count]

    def merge(self, profile: ActivationProfile) -> None:
        """Makes each process's profile of a layer that of all data: counts add up, ranges widen.

        All processes have to call it, for the same layers in the same order.
        """
        if self.count == 1:
            return
        _reduce(profile.drive_minimum, "MIN")
        _reduce(profile.drive_maximum, "MAX")
        if profile.activations is not None:
            _merge(profile.activations)


def launched() -> Processes:
    """The processes that torchrun started; this one alone where it did not."""
    if not all(name in os.environ for name in VARIABLES):
        return Processes()
    return Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def connected(processes: Processes) -> Iterator[None]:
    """Connects the processes for as long as the block lasts."""
    if processes.count == 1:
        yield
        return
    from torch import distributed

    distributed.init_process_group("gloo", rank=processes.rank, world_size=processes.count)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _merge(sketch: ActivationSketch) -> None:
    covered = sketch.octaves > 0
    first = np.array([sketch.octave if covered else np.iinfo(np.int64).max])
    end = np.array([sketch.octave + sketch.octaves if covered else 0])
    total = np.array([sketch.total])
    _reduce(first, "MIN")
    _reduce(end, "MAX")
    _reduce(total, "SUM")
    _reduce(sketch.maximum, "MAX")
    sketch.total = int(total[0])
    if end[0]:
        sketch.cover(int(first[0]), int(end[0]))
        _reduce(sketch.counts, "SUM")


def _reduce(array: NDArray[Any], operation: str) -> None:
    """Replaces an array by its sum, minimum or maximum over the processes, elementwise and in place."""
    import torch
    from torch import distributed

    distributed.all_reduce(torch.from_numpy(array), op=getattr(distributed.ReduceOp, operation))
