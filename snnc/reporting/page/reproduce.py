"""The commands that make a network, and what its report tells, again."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from dataclasses import dataclass

from snnc.analysis.options import REPORT_SAMPLES
from snnc.common.options import arguments
from snnc.compiler.options import CompileOptions
from snnc.program import CompiledNetwork


@dataclass(frozen=True)
class Sources:
    """What a report was made from, as the user named it.

    Attributes:
        model: The model file.
        net: The .net file.
        data: The data that were reported on.
        calibration: The data that were calibrated on; None where that is not known.
        calibration_samples: How many samples of them were asked for; None where that is not known.
        architecture: What ``--arch`` was; None where it was not needed.
        trust: Whether ``--trust`` was given.
        samples: How many samples were asked for.
        allow_oversize: Whether ``--allow-oversize`` was given.
    """

    model: str
    net: str
    data: str
    calibration: str | None = None
    calibration_samples: int | None = None
    architecture: str | None = None
    trust: bool = False
    samples: int = REPORT_SAMPLES
    allow_oversize: bool = False


def commands(program: CompiledNetwork, sources: Sources, page: str) -> tuple[str, ...]:
    """Return the command that compiles the network again, and those that measure it; all options are written out.

    Args:
        program: The program; its provenance holds the options.
        sources: What it was made from.
        page: The report's file.
    """
    model = ["--arch", sources.architecture] if sources.architecture else []
    model += ["--trust"] * sources.trust
    compiling = [
        *("compile", sources.model, *model, "--calib", sources.calibration or "DATA", "--calib-samples"),
        str(sources.calibration_samples or program.provenance.calibration_samples),
        *arguments(CompileOptions, program.provenance.options),
        *["--allow-oversize"] * sources.allow_oversize,
        *("-o", sources.net),
    ]
    reporting = ["report", sources.model, sources.net, *model, "--data", sources.data, "--report-samples"]
    reporting += [str(sources.samples), "-o", page]
    running = ["run", sources.net, "--data", sources.data]
    comparing = ["validate", sources.model, sources.net, *model, "--data", sources.data]
    return tuple(shlex.join(["snnc", *each]) for each in (compiling, reporting, running, comparing))


def versions() -> dict[str, str]:
    """Return what this machine makes a report with, by name: Python and the packages that compute."""
    packages = {name: importlib.metadata.version(name) for name in ("snnc", "torch", "numpy")}
    return {"Python": platform.python_version(), **packages}
