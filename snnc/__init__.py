"""snnc compiles trained PyTorch networks into spiking networks for Intel Loihi and Lava.

The whole way in Python::

    import snnc

    program = snnc.compile("model.pt", "digits", timesteps=8)
    program.save("model.net")
    result = snnc.run(snnc.load("model.net"), "digits", backend="sim")
    print(result.predictions)

The names below are imported when they are first used, so that ``import snnc`` and ``snnc --help`` take no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc.common.lazy_names import lazy_names

if TYPE_CHECKING:
    from snnc.analysis.conversion import LayerEvidence, PassOutcome, Report, SigmaDeltaReport, StepOutcome
    from snnc.analysis.diagnosis import Diagnosis, Finding, LayerErrors, Stage
    from snnc.analysis.options import DiagnoseOptions, ReportOptions, ValidateOptions
    from snnc.analysis.thresholds import LayerThresholds
    from snnc.analysis.validation import LayerComparison, Validation
    from snnc.api.analyse import diagnose, report, validate
    from snnc.api.bundle import Bundle, bundle
    from snnc.api.compile import compile, export_nir, load
    from snnc.api.inspect import estimate_energy, model_thresholds, place, program_thresholds
    from snnc.api.netx import NetxNetwork, NetxResult, load_netx, run_netx
    from snnc.api.run import run
    from snnc.api.stages import convert, load_model, profile, quantize, trace
    from snnc.common.errors import (
        BackendError,
        ContradictionWarning,
        DataError,
        FormatError,
        ModelError,
        OptionError,
        OutputError,
        OverflowWarning,
        PassError,
        SnncError,
        TargetError,
        UnsupportedError,
        UntrustedModelError,
        VerdictWarning,
    )
    from snnc.common.progress import Progress
    from snnc.compiler.options import ActivationOptions, CompileOptions, ThresholdOptions
    from snnc.finetuning.options import FinetuneOptions, FinetuneSettings
    from snnc.finetuning.whole_run import FineTuning, finetune
    from snnc.models.data import Dataset, load_data
    from snnc.models.training.engine import Epoch
    from snnc.program import InputCoding, Layer, Program, Provenance, SigmaDeltaLayer, SigmaDeltaProgram, Synapse
    from snnc.program.placement import PlacedLayer, Placement
    from snnc.program.verdict import Verdict
    from snnc.reporting.placement_picture import plot_placement
    from snnc.reporting.thresholds import plot_thresholds
    from snnc.runtime.agreement import Agreement, LayerAgreement
    from snnc.runtime.energy import EnergyEstimate, OperationCounts
    from snnc.runtime.hardware.lab import LabResult, read_lab_result
    from snnc.runtime.options import BundleOptions, NetxRunOptions, RunOptions
    from snnc.runtime.result import RunResult

    __version__: str

__all__ = [
    "ActivationOptions",
    "Agreement",
    "BackendError",
    "Bundle",
    "BundleOptions",
    "CompileOptions",
    "ContradictionWarning",
    "DataError",
    "Dataset",
    "DiagnoseOptions",
    "Diagnosis",
    "EnergyEstimate",
    "Epoch",
    "Finding",
    "FineTuning",
    "FinetuneOptions",
    "FinetuneSettings",
    "FormatError",
    "InputCoding",
    "LabResult",
    "Layer",
    "LayerAgreement",
    "LayerComparison",
    "LayerErrors",
    "LayerEvidence",
    "LayerThresholds",
    "ModelError",
    "NetxNetwork",
    "NetxResult",
    "NetxRunOptions",
    "OperationCounts",
    "OptionError",
    "OutputError",
    "OverflowWarning",
    "PassError",
    "PassOutcome",
    "PlacedLayer",
    "Placement",
    "Program",
    "Progress",
    "Provenance",
    "Report",
    "ReportOptions",
    "RunOptions",
    "RunResult",
    "SigmaDeltaLayer",
    "SigmaDeltaProgram",
    "SigmaDeltaReport",
    "SnncError",
    "Stage",
    "StepOutcome",
    "Synapse",
    "TargetError",
    "ThresholdOptions",
    "UnsupportedError",
    "UntrustedModelError",
    "ValidateOptions",
    "Validation",
    "Verdict",
    "VerdictWarning",
    "__version__",
    "bundle",
    "compile",
    "convert",
    "diagnose",
    "estimate_energy",
    "export_nir",
    "finetune",
    "load",
    "load_data",
    "load_model",
    "load_netx",
    "model_thresholds",
    "place",
    "plot_placement",
    "plot_thresholds",
    "profile",
    "program_thresholds",
    "quantize",
    "read_lab_result",
    "report",
    "run",
    "run_netx",
    "trace",
    "validate",
]

# Where the public names are defined; those that are not here are in snnc.common.errors.
_HOMES = {
    "snnc.common.errors": (
        "BackendError",
        "ContradictionWarning",
        "DataError",
        "FormatError",
        "ModelError",
        "OptionError",
        "OutputError",
        "OverflowWarning",
        "PassError",
        "SnncError",
        "TargetError",
        "UnsupportedError",
        "UntrustedModelError",
        "VerdictWarning",
    ),
    "snnc.api.compile": ("compile", "export_nir", "load"),
    "snnc.api.run": ("run",),
    "snnc.api.stages": ("convert", "load_model", "profile", "quantize", "trace"),
    "snnc.analysis.options": ("DiagnoseOptions", "ReportOptions", "ValidateOptions"),
    "snnc.common.progress": ("Progress",),
    "snnc.compiler.options": ("ActivationOptions", "CompileOptions", "ThresholdOptions"),
    "snnc.runtime.options": ("BundleOptions", "NetxRunOptions", "RunOptions"),
    "snnc.api.analyse": ("diagnose", "report", "validate"),
    "snnc.program.placement": ("PlacedLayer", "Placement"),
    "snnc.program.provenance": ("Verdict",),
    "snnc.program": (
        "InputCoding",
        "Layer",
        "Program",
        "Provenance",
        "SigmaDeltaLayer",
        "SigmaDeltaProgram",
        "Synapse",
    ),
    "snnc.analysis.diagnosis": ("Diagnosis", "Finding", "LayerErrors", "Stage"),
    "snnc.finetuning.options": ("FinetuneOptions", "FinetuneSettings"),
    "snnc.finetuning.whole_run": ("FineTuning", "finetune"),
    "snnc.api.inspect": ("estimate_energy", "model_thresholds", "place", "program_thresholds"),
    "snnc.api.bundle": ("Bundle", "bundle"),
    "snnc.models.data": ("Dataset", "load_data"),
    "snnc.models.training.engine": ("Epoch",),
    "snnc.api.netx": ("NetxNetwork", "NetxResult", "load_netx", "run_netx"),
    "snnc.analysis.conversion": ("LayerEvidence", "PassOutcome", "Report", "SigmaDeltaReport", "StepOutcome"),
    "snnc.runtime.agreement": ("Agreement", "LayerAgreement"),
    "snnc.runtime.energy": ("EnergyEstimate", "OperationCounts"),
    "snnc.runtime.hardware.lab": ("LabResult", "read_lab_result"),
    "snnc.reporting.placement_picture": ("plot_placement",),
    "snnc.runtime.result": ("RunResult",),
    "snnc.analysis.thresholds": ("LayerThresholds",),
    "snnc.reporting.thresholds": ("plot_thresholds",),
    "snnc.analysis.validation": ("LayerComparison", "Validation"),
}


def _version() -> str:
    from importlib.metadata import version  # takes longer than all that import snnc does else

    return version("snnc")


__getattr__, __dir__ = lazy_names(__name__, _HOMES, {"__version__": _version})
