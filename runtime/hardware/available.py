"""Whether Intel's extension for Loihi is there."""

from __future__ import annotations

import importlib.util

# The module by which lava-nc itself tells whether the extension is installed (lava/utils/loihi.py).
_EXTENSION = "lava.utils.loihi2_profiler"


def loihi_available() -> str | None:
    """None where the lava-loihi extension is installed, else one line that says why not and what to do."""
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
