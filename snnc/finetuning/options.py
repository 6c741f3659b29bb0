"""The options of fine-tuning, with the paper's values as defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, get_args

from snnc.common.option_kinds import PATH
from snnc.common.options import inherited, option
from snnc.common.signatures import documented
from snnc.compiler.conversion.methods import METHODS
from snnc.compiler.options import CompileOptions, ThresholdOptions
from snnc.models.training.options import TRAINING, TrainingOptions, check_range

__all__ = ["DATA_DRIVEN", "KEEP", "FinetuneOptions", "FinetuneSettings", "TeacherOptions"]

# Thresholds of a network that was fine-tuned before, for another T: as they are.
KEEP = "keep"
DATA_DRIVEN = "data-driven"
Precision = Literal["float32", "bfloat16"]

# Groups of options in the help of commands.
NEURONS, DISTILLATION, STOPPING = "Neurons", "Distillation", "Early stop"


@documented
@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TrainingOptions):
    """What fine-tuning depends on: all that decides the weights, but for device, threads and number of processes.

    Epochs and learning rate are the paper's (section 8.2.1); it names neither optimizer nor batch size.
    """

    network_argument: ClassVar[str] = "MODEL"

    epochs: int = inherited(TrainingOptions, "epochs", 50)
    learning_rate: float = inherited(TrainingOptions, "learning_rate", 5e-3)
    momentum: float = inherited(TrainingOptions, "momentum", 0.9)
    timesteps: int = inherited(ThresholdOptions, "timesteps", 1, panel=NEURONS, only=(), shared=False)
    lead: int = inherited(CompileOptions, "lead", panel=NEURONS, silent=False, only=(), shared=False)
    threshold: str | None = inherited(
        ThresholdOptions,
        "threshold",
        None,
        names=lambda: (*METHODS.names, KEEP),
        panel=NEURONS,
        only=(),
        shared=False,
        usual="``keep`` for a network that ``snnc finetune`` wrote, else ``data-driven``",
        help="How thresholds and initial potentials are chosen to begin with: "
        f"{METHODS.described()}, or ``keep`` (those of a network that ``snnc finetune`` wrote).",
    )
    per_channel: bool = inherited(ThresholdOptions, "per_channel", panel=NEURONS, only=(), shared=False)
    objective: Literal[1, 2] = inherited(ThresholdOptions, "objective", panel=NEURONS, only=(), shared=False)
    calibration_samples: int = inherited(
        ThresholdOptions,
        "calibration_samples",
        panel=NEURONS,
        shapes=True,
        shared=False,
        help="How many training images to choose thresholds on, as many of each class; at least 1.",
    )
    train_thresholds: bool = option(
        False, panel=NEURONS, shapes=True, help="Train thresholds and initial potentials too."
    )
    freeze_statistics: bool = option(
        False, panel=TRAINING, shapes=True, help="Batch normalisation keeps the ANN's mean and variance."
    )
    surrogate_width: float = option(
        0.5,
        panel=TRAINING,
        shapes=True,
        help="a, above 0: the derivative of a spike is 1 where ``|v - Vth| < a Vth``, else 0.",
    )
    distill: float = option(
        0.0,
        metavar="SHARE",
        panel=DISTILLATION,
        shapes=True,
        help="Share of the loss that is the distance to the ANN's logits, 0 to 1.",
    )
    temperature: float = option(
        1.0, panel=DISTILLATION, shapes=True, help="Temperature of the softmax over these logits, above 0."
    )
    quantize: bool = option(
        False,
        panel=TRAINING,
        shapes=True,
        help="Round weights as the compiler does, and train what comes of it.",
    )
    patience: int | None = option(
        None,
        metavar="EPOCHS",
        panel=STOPPING,
        shapes=True,
        usual="train for all epochs and take the last",
        help="Hold images out of training, stop after so many epochs that are no better on them, at least 1, and take "
        "the best epoch's weights.",
    )
    held_out: float = option(
        0.1,
        metavar="SHARE",
        panel=STOPPING,
        shapes=True,
        help="How many, of all training images, above 0 and below 1.",
    )
    precision: Precision = option(
        "float32",
        panel=TRAINING,
        shapes=True,
        help="``float32``, or ``bfloat16`` for convolutions and linear layers in training.",
    )

    @property
    def held_out_share(self) -> float | None:
        """The share of the training images that is held out; None where nothing stops early."""
        return None if self.patience is None else self.held_out

    def check(self) -> None:
        """Check the ranges of all numbers, and the names; those that the compiler knows it checks itself.

        Raises:
            OptionError: One is out of its range; it names the option.
        """
        super().check()
        width, temperature = self.surrogate_width, self.temperature
        check_range(self, "surrogate_width", "above 0", right=0 < width < math.inf)
        check_range(self, "distill", "0 to 1", right=0 <= self.distill <= 1)
        check_range(self, "temperature", "above 0", right=0 < temperature < math.inf)
        check_range(self, "held_out", "above 0 and below 1", right=0 < self.held_out < 1)
        check_range(self, "patience", "at least 1", right=self.patience is None or self.patience >= 1)
        check_range(self, "precision", " or ".join(get_args(Precision)), right=self.precision in get_args(Precision))
        check_range(self, "calibration_samples", "at least 1", right=self.calibration_samples >= 1)

    def filled(self) -> FinetuneOptions:
        """Return the options with what is usual for an ANN and data without a name where nothing was chosen."""
        return replace(super().filled(), threshold=self.threshold or DATA_DRIVEN)


@documented
@dataclass(frozen=True, kw_only=True)
class TeacherOptions:
    """Who teaches."""

    teacher: Path | None = option(
        None,
        metavar="ANN.pt",
        panel=DISTILLATION,
        kind=PATH,
        usual="MODEL",
        help="The ANN whose logits are distilled.",
    )


# The former name.
FinetuneSettings = FinetuneOptions
