"""What a fine-tuning run depends on, with the paper's values as defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.common.errors import OptionError
from snnc.models.training import TrainingSettings

__all__ = ["KEEP", "PRECISIONS", "FinetuneSettings", "held_out_share"]

# Thresholds of a network that was fine-tuned before, for another T: as they are.
KEEP = "keep"
PRECISIONS = ("float32", "bfloat16")

# Those that are not called like the setting.
_OPTIONS = {"arch": "MODEL", "per_channel": "--per-channel/--per-layer", "calibration_samples": "--calib-samples"}


@dataclass(frozen=True)
class FinetuneSettings(TrainingSettings):
    """Everything that decides the weights that come out, but for device, threads and number of processes.

    Epochs and learning rate are the paper's (section 8.2.1); it names neither optimizer nor batch size.

    Attributes:
        arch: SHA-256 of the file of the network that it starts from.
        timesteps: T, at least 1.
        lead: Steps that each layer integrates before it may fire, 0..T.
        threshold: How thresholds are chosen to begin with: a method of ``snnc compile``, or ``keep``.
        per_channel: One threshold for each channel, or for each layer.
        objective: m, 1 or 2, for the methods that search.
        calibration_samples: Samples that they are chosen on.
        train_thresholds: Whether thresholds and initial potentials are trained too.
        freeze_statistics: Whether batch normalisation keeps the ANN's mean and variance.
        surrogate_width: a of the surrogate derivative, in thresholds, > 0.
        distill: Share of the loss that is the divergence from the teacher's probabilities, 0..1.
        temperature: Of these probabilities, > 0.
        teacher: SHA-256 of the file of the teacher, or None.
        quantize: Whether weights are rounded as the compiler rounds them.
        patience: Epochs without a better accuracy on held-out images before training ends; None: no early stop.
        held_out: Share of the training images that are held out where there is an early stop, 0 to 1.
        precision: ``float32``, or ``bfloat16`` for convolutions and linear layers.
    """

    epochs: int = 50
    learning_rate: float = 5e-3
    momentum: float = 0.9
    timesteps: int = 1
    lead: int = 0
    threshold: str = "data-driven"
    per_channel: bool = True
    objective: int = 1
    calibration_samples: int = 512
    train_thresholds: bool = False
    freeze_statistics: bool = False
    surrogate_width: float = 0.5
    distill: float = 0.0
    temperature: float = 1.0
    teacher: str | None = None
    quantize: bool = False
    patience: int | None = None
    held_out: float = 0.1
    precision: str = "float32"

    @staticmethod
    def option(name: str) -> str:
        """The command line's option for a setting."""
        return _OPTIONS.get(name, f"--{name.replace('_', '-')}")

    def check(self) -> None:
        """Check the ranges of all numbers, and the names; those that the compiler knows it checks itself.

        Raises:
            OptionError: One is out of its range; it names the option.
        """
        super().check()
        _check("--surrogate-width", self.surrogate_width, "above 0", right=0 < self.surrogate_width < math.inf)
        _check("--distill", self.distill, "0 to 1", right=0 <= self.distill <= 1)
        _check("--temperature", self.temperature, "above 0", right=0 < self.temperature < math.inf)
        _check("--held-out", self.held_out, "above 0 and below 1", right=0 < self.held_out < 1)
        _check("--patience", self.patience, "at least 1", right=self.patience is None or self.patience >= 1)
        _check("--precision", self.precision, " or ".join(PRECISIONS), right=self.precision in PRECISIONS)
        _check("--calib-samples", self.calibration_samples, "at least 1", right=self.calibration_samples >= 1)


def held_out_share(settings: FinetuneSettings) -> float | None:
    """The share of the training images that is held out; None where nothing stops early."""
    return None if settings.patience is None else settings.held_out


def _check(where: str, value: object, expected: str, *, right: bool) -> None:
    if not right:
        raise OptionError("out of range", where=where, expected=expected, found=str(value))
