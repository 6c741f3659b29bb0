"""Running samples on a Loihi board."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import CompiledNetwork
from snnc.errors import BackendError
from snnc.runtime.hardware.available import loihi_available
from snnc.runtime.result import RunResult


def run_loihi(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    *,
    record: bool = False,
    advance: Callable[[int], None] | None = None,
) -> RunResult:
    """Streams samples through a board; so far it only says why it cannot.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        record: Keep every spike in the result.
        advance: Called with the number of samples done.

    Raises:
        BackendError: The extension is not installed, or this version of snnc cannot use it yet.
    """
    reason = loihi_available()
    if reason:
        raise BackendError(f"the loihi backend cannot run: {reason}")
    raise BackendError(
        "the loihi backend cannot run: this version of snnc does not drive a board yet",
        advice="snnc bundle packs the network for one; --backend lava gives the same spikes without a chip",
    )
