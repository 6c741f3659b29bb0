"""The options of comparisons of a model with the network that was compiled from it."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.common.errors import OptionError
from snnc.common.options import option
from snnc.common.signatures import documented
from snnc.compiler.options import ModelFileOptions
from snnc.program.verdict import Task
from snnc.runtime.options import LAVA, ON_LAVA, RUN, FirstSamplesOptions, LavaOptions, SimulatorOptions, TaskOptions

__all__ = ["DIAGNOSED_SAMPLES", "REPORT_SAMPLES", "DiagnoseOptions", "DropOptions", "ReportOptions", "ValidateOptions"]

# Samples that are looked at unless told otherwise: seconds for networks of usual size.
DIAGNOSED_SAMPLES = 512
REPORT_SAMPLES = 256


@documented
@dataclass(frozen=True, kw_only=True)
class DropOptions:
    """What a network may lose before a command ends with exit code 1; no result depends on it."""

    maximum_drop: float | None = option(
        None,
        flags=("--max-drop",),
        metavar="POINTS",
        panel=RUN,
        help="End with exit code 1 where more percentage points of accuracy are lost than this, or, of data without "
        "labels, of agreement with the ANN: 0 to 100.",
    )

    def check(self) -> None:
        """Make sure that it is a number of points.

        Raises:
            OptionError: It is none.
        """
        if self.maximum_drop is not None and not 0 <= self.maximum_drop <= 100:
            raise OptionError(
                "is out of range", where="--max-drop", expected="0 to 100 points", found=f"{self.maximum_drop:g}"
            )

    def check_task(self, task: Task) -> None:
        """Make sure that it means something for a network.

        Args:
            task: What the network's outputs mean.

        Raises:
            OptionError: They are values, which are neither right nor wrong.
        """
        if self.maximum_drop is not None and task == "values":
            raise OptionError(
                "means nothing here",
                where="--max-drop",
                expected="a network that decides",
                found="outputs that are values",
                advice="R squared against the ANN is judged without it",
            )


@documented
@dataclass(frozen=True, kw_only=True)
class _LavaBeside(FirstSamplesOptions):
    """Whether Lava runs too."""

    lava: bool | None = option(
        None,
        flags=("--lava/--no-lava",),
        panel=LAVA,
        usual="run it if it is installed",
        help="Whether to run Lava too: demand it, or leave it out.",
    )
    lava_samples: int = option(10, metavar="N", panel=LAVA, only=ON_LAVA, help="How many of the samples Lava runs.")


@documented
@dataclass(frozen=True, kw_only=True)
class ValidateOptions(ModelFileOptions, LavaOptions, SimulatorOptions, TaskOptions, _LavaBeside):
    """The options of a validation."""


@documented
@dataclass(frozen=True, kw_only=True)
class _DiagnosedSamples:
    """How many samples a diagnosis looks at."""

    samples: int | None = option(
        DIAGNOSED_SAMPLES, metavar="N", panel=RUN, help="How many samples to take, from the first on."
    )


@documented
@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions(ModelFileOptions, SimulatorOptions, TaskOptions, _DiagnosedSamples):
    """The options of a diagnosis."""


@documented
@dataclass(frozen=True, kw_only=True)
class _Page:
    """What a report is made on."""

    report_samples: int = option(
        REPORT_SAMPLES,
        metavar="N",
        panel=RUN,
        old=("samples",),
        help="How many samples to draw for the report, as many of each class; at least 1.",
    )
    title: str | None = option(
        None, typed=False, usual="by the .net file, or by the model where that is no file", help="The page's title."
    )


@documented
@dataclass(frozen=True, kw_only=True)
class ReportOptions(ModelFileOptions, SimulatorOptions, TaskOptions, _Page):
    """The options of a report."""
