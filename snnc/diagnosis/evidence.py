"""What is known of a conversion, for the rules that say what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snnc.diagnosis.layer_errors import LayerErrors
from snnc.diagnosis.stages import Stage


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    Attributes:
        stages: From the ANN to the simulator.
        layers: In network order.
        wraps: For each layer that overflowed its modules and how often.
        clipped: Share of the input values outside what the calibration data spanned.
        classes: Number of outputs.
        timesteps: T.
        lead: k.
        corrections: What was corrected of the layers on calibration data (``--calibrate``).
        weighed: Whether several ways to choose thresholds were tried and the best one taken (``--threshold auto``).
        per_channel: Whether each channel has a threshold of its own.
    """

    stages: Sequence[Stage]
    layers: Sequence[LayerErrors]
    wraps: Sequence[tuple[str, int]]
    clipped: float
    classes: int
    timesteps: int
    lead: int
    corrections: Sequence[str]
    weighed: bool
    per_channel: bool

    def lost(self, index: int) -> float:
        """Points that a stage loses against the one before it: of accuracy, or without labels of agreement."""
        before, after = self.stages[index - 1 : index + 1]
        if before.accuracy is not None and after.accuracy is not None:
            return 100 * (before.accuracy - after.accuracy)
        return 100 * (before.agreement - after.agreement)
