"""The native simulator of each kind of neuron."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.progress import Progress, Unheard
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.runtime.result import RunResult
from snnc.runtime.sigma_delta import SigmaDeltaSimulator
from snnc.runtime.simulator import Simulator


class NativeSimulator(Protocol):
    """Runs a network exactly, with the integers of the chip."""

    def run(
        self,
        levels: NDArray[np.uint8],
        *,
        record: bool = False,
        batch_size: int | None = None,
        stop_at: Sequence[int] = (),
        progress: Progress = Unheard(),
    ) -> RunResult:
        """Run samples.

        Args:
            levels: Input levels, (samples, *input shape).
            record: Keep everything that neurons send.
            batch_size: Samples computed at once; None: what memory allows.
            stop_at: Numbers of steps, 1..T, after which to report too.
            progress: Told how many samples are done, after each batch.

        Raises:
            DataError: There are no samples, or their shape does not fit.
            OptionError: The network has no result after such a number of steps; memory is too small.
        """

    def never_overflows(self, levels: NDArray[np.uint8]) -> bool:
        """Return whether it is known without a run that no state leaves the chip's range on these samples.

        Args:
            levels: Input levels, (samples, *input shape).
        """


@singledispatch
def native_simulator(
    program: CompiledNetwork, device: str | torch.device = "cpu", *, memory: int | None = None
) -> NativeSimulator:
    """Return the simulator of a network.

    Args:
        program: The network.
        device: Where to compute, as torch names it.
        memory: Bytes that may be taken for what is computed at once; None: what is fastest.

    Raises:
        OptionError: The memory is too small.
    """
    raise NotImplementedError(f"no simulator is registered for {type(program).__name__}")


native_simulator.register(Program, Simulator)
native_simulator.register(SigmaDeltaProgram, SigmaDeltaSimulator)
