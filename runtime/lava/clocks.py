"""Neurons that fire once in each interval: they set the time of what silences layers and of their biases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Process
from snnc.runtime.lava.schedule import Schedule

# A LIF whose voltage rises by one unit each step (schedule.UNIT), and falls to zero as it fires.
RISING = {"bias_mant": 1, "bias_exp": 6, "du": 4095, "dv": 0}


class Clocks:
    """One population of such neurons, each with its own time; all are added before it is built.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._starts: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, step: int, count: int = 1) -> NDArray[np.int64]:
        """Adds neurons that fire together.

        Args:
            step: When they fire for the first time, from 1.
            count: Their number.

        Returns:
            Which ones of the population they are, (count,).
        """
        first = len(self._starts)
        self._starts += [self._schedule.clock_start(step)] * count
        return np.arange(first, first + count)

    def build(self, parts: Parts) -> Process:
        """The LIF process of all that were added, at least one, made of these parts."""
        starts = np.array(self._starts)
        return parts.lif(shape=starts.shape, vth=self._schedule.interval - 1, v=starts, **RISING)
