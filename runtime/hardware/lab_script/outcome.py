"""What a run gives, wherever it ran."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Outcome(NamedTuple):
    """Spikes, readouts and what they took.

    Attributes:
        spikes: For each layer (samples, T, neurons); None where they were not recorded.
        readout: (samples, neurons).
        steps: Time steps that the network ran.
        start_seconds: From nothing until the network runs.
        run_seconds: Of the host, for those steps.
        chip: What a board measured; None where there is none.
    """

    spikes: list[NDArray[np.bool_]] | None
    readout: NDArray[np.int64]
    steps: int
    start_seconds: float
    run_seconds: float
    chip: dict[str, Any] | None
