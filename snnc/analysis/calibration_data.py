"""What calibration data leave to be desired, in words."""

from __future__ import annotations

import math

import numpy as np

from snnc.models.data import Dataset
from snnc.program import CompiledNetwork

# The samples of a batch; of fewer, every one decides much.
BATCH = 64


def coverage_notes(dataset: Dataset, program: CompiledNetwork) -> tuple[str, ...]:
    """Return what users should know of the data that a network was calibrated on, one sentence each.

    Args:
        dataset: The calibration data.
        program: The network that was compiled with them; its readout says how many classes there are.
    """
    notes = []
    samples = len(dataset)
    if samples < BATCH:
        notes.append(
            f"calibrated on {samples} sample{'s' * (samples != 1)}, fewer than a batch of {BATCH}: thresholds, "
            "rounding and corrections may suit these alone; some hundreds are better"
        )
    classes = math.prod(program.layers[-1].shape)
    if dataset.labels is None or len(program.layers[-1].shape) > 1 or classes < 2:
        return tuple(notes)
    found = len(np.unique(dataset.labels))
    if found == 1:
        notes.append(
            f"all {samples:,} calibration samples are of one class, of the {classes} that the network tells apart: "
            "what others activate was not seen, so their thresholds are guesses; calibrate on all classes"
        )
    elif found < classes:
        notes.append(
            f"the calibration samples are of {found} classes, of the {classes} that the network tells apart: what the "
            "others activate was not seen; calibrate on all classes"
        )
    return tuple(notes)
