"""How well the network decides after fewer steps than T."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.program import Program
from snnc.runtime.energy import count_operations
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator

# Of many steps so many are looked at, nearer together where there are few.
STOPS = 16


@dataclass(frozen=True)
class StepOutcome:
    """The network, stopped after some steps.

    Attributes:
        steps: How many, 1..T.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
        spikes: Spikes for one sample on average.
        operations: Synaptic operations for one sample on average.
    """

    steps: int
    accuracy: float | None
    agreement: float
    spikes: float
    operations: float


def stops(timesteps: int) -> tuple[int, ...]:
    """Return the numbers of steps to look at, T the last one: all where there are few."""
    if timesteps <= STOPS:
        return tuple(range(1, timesteps + 1))
    return tuple(sorted({round(each) for each in np.geomspace(1, timesteps, STOPS)}))


def led_runs(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    device: str | torch.device = "cpu",
    memory: int | None = None,
) -> dict[int, RunResult]:
    """Return runs of a program with lead for fewer steps: there they are no part of the whole run.

    Each is the same network shown a sample for t steps, with its lead, or t where that is smaller.

    Args:
        program: With lead.
        levels: Input levels, (samples, *input shape).
        device: Where the simulator computes, as torch names it.
        memory: Bytes that the simulator may take for what it computes at once; None: what is fastest.

    Returns:
        By number of steps; powers of two, since each costs a run of its own.
    """
    steps = [1 << power for power in range(program.timesteps.bit_length()) if 1 << power < program.timesteps]
    programs = [replace(program, timesteps=each, lead=min(program.lead, each)) for each in steps]
    return {each.timesteps: Simulator(each, device, memory=memory).run(levels) for each in programs}


def step_outcomes(
    program: Program, runs: dict[int, RunResult], ann: NDArray[np.int64], labels: NDArray[np.int64] | None
) -> tuple[StepOutcome, ...]:
    """Return what the runs came to.

    Args:
        program: The program.
        runs: By number of steps.
        ann: The ANN's predictions, (samples,).
        labels: The right classes, (samples,); None where they are not known.
    """
    found = []
    for steps, result in sorted(runs.items()):
        counts = count_operations(program, result, steps)
        found.append(
            StepOutcome(
                steps=steps,
                accuracy=None if labels is None else result.accuracy(labels),
                agreement=result.accuracy(ann),
                spikes=sum(counts.spikes) / counts.samples,
                operations=counts.synaptic_total / counts.samples,
            )
        )
    return tuple(found)
