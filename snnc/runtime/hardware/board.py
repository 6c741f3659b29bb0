"""Running samples on a Loihi board."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import BackendError
from snnc.common.progress import Progress, Unheard
from snnc.program import CompiledNetwork
from snnc.runtime.result import RunResult

# The module by which lava-nc itself tells whether the extension is installed (lava/utils/loihi.py).
_EXTENSION = "lava.utils.loihi2_profiler"


def loihi_available() -> str | None:
    """Return None where the lava-loihi extension is installed, else one line that says why not and what to do."""
    try:
        found = importlib.util.find_spec(_EXTENSION)
    except ModuleNotFoundError:
        found = None
    if found is not None:
        return None
    return (
        "Intel's lava-loihi extension is not installed, and only members of Intel's Neuromorphic Research Community "
        "can get it; --backend lava or --backend sim gives the same spikes without a chip"
    )


def run_loihi(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    *,
    record: bool = False,
    progress: Progress = Unheard(),
) -> RunResult:
    """Stream samples through a board; so far it only says why it cannot.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        record: Keep every spike in the result.
        progress: Told how many samples are done.

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
