"""The options of comparisons of a model with the network that was compiled from it."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.common.options import option
from snnc.common.signatures import documented
from snnc.compiler.options import ModelFileOptions
from snnc.runtime.options import LAVA, ON_LAVA, RUN, FirstSamplesOptions, LavaOptions, SimulatorOptions

__all__ = ["DIAGNOSED_SAMPLES", "REPORT_SAMPLES", "DiagnoseOptions", "ReportOptions", "ValidateOptions"]

# Samples that are looked at unless told otherwise: seconds for networks of usual size.
DIAGNOSED_SAMPLES = 512
REPORT_SAMPLES = 256


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
class ValidateOptions(ModelFileOptions, LavaOptions, SimulatorOptions, _LavaBeside):
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
class DiagnoseOptions(ModelFileOptions, SimulatorOptions, _DiagnosedSamples):
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
class ReportOptions(ModelFileOptions, SimulatorOptions, _Page):
    """The options of a report."""
