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

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnc.api import compile, export_nir, load, run
    from snnc.comparison import diagnose, report, validate
    from snnc.compiler.placement import PlacedLayer, Placement
    from snnc.compiler.program import (
        InputCoding,
        Layer,
        Program,
        Provenance,
        SigmaDeltaLayer,
        SigmaDeltaProgram,
        Synapse,
    )
    from snnc.diagnosis import Diagnosis, Finding, LayerErrors, Stage
    from snnc.errors import (
        BackendError,
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
    )
    from snnc.finetuning import FinetuneSettings, FineTuning, finetune
    from snnc.inspection import estimate_energy, model_thresholds, place, program_thresholds
    from snnc.laboratory import Bundle, bundle
    from snnc.models.data import Dataset, load_data
    from snnc.models.training import Epoch
    from snnc.netx import NetxNetwork, NetxResult, load_netx, run_netx
    from snnc.reporting import LayerEvidence, PassOutcome, Report, SigmaDeltaReport, StepOutcome
    from snnc.runtime.agreement import Agreement, LayerAgreement
    from snnc.runtime.energy import EnergyEstimate, OperationCounts
    from snnc.runtime.hardware.lab import LabResult, read_lab_result
    from snnc.runtime.report import plot_placement
    from snnc.runtime.result import RunResult
    from snnc.thresholds import LayerThresholds
    from snnc.thresholds.plot import plot_thresholds
    from snnc.validation import LayerComparison, Validation

    __version__: str

__all__ = [
    "Agreement",
    "BackendError",
    "Bundle",
    "DataError",
    "Dataset",
    "Diagnosis",
    "EnergyEstimate",
    "Epoch",
    "Finding",
    "FineTuning",
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
    "OperationCounts",
    "OptionError",
    "OutputError",
    "OverflowWarning",
    "PassError",
    "PassOutcome",
    "PlacedLayer",
    "Placement",
    "Program",
    "Provenance",
    "Report",
    "RunResult",
    "SigmaDeltaLayer",
    "SigmaDeltaProgram",
    "SigmaDeltaReport",
    "SnncError",
    "Stage",
    "StepOutcome",
    "Synapse",
    "TargetError",
    "UnsupportedError",
    "UntrustedModelError",
    "Validation",
    "__version__",
    "bundle",
    "compile",
    "diagnose",
    "estimate_energy",
    "export_nir",
    "finetune",
    "load",
    "load_data",
    "load_netx",
    "model_thresholds",
    "place",
    "plot_placement",
    "plot_thresholds",
    "program_thresholds",
    "read_lab_result",
    "report",
    "run",
    "run_netx",
    "validate",
]

# Where the public names are defined; those that are not here are in snnc.errors.
_HOMES = {
    "snnc.api": ("compile", "export_nir", "load", "run"),
    "snnc.comparison": ("diagnose", "report", "validate"),
    "snnc.compiler.placement": ("PlacedLayer", "Placement"),
    "snnc.compiler.program": (
        "InputCoding",
        "Layer",
        "Program",
        "Provenance",
        "SigmaDeltaLayer",
        "SigmaDeltaProgram",
        "Synapse",
    ),
    "snnc.diagnosis": ("Diagnosis", "Finding", "LayerErrors", "Stage"),
    "snnc.finetuning": ("FineTuning", "FinetuneSettings", "finetune"),
    "snnc.inspection": ("estimate_energy", "model_thresholds", "place", "program_thresholds"),
    "snnc.laboratory": ("Bundle", "bundle"),
    "snnc.models.data": ("Dataset", "load_data"),
    "snnc.models.training": ("Epoch",),
    "snnc.netx": ("NetxNetwork", "NetxResult", "load_netx", "run_netx"),
    "snnc.reporting": ("LayerEvidence", "PassOutcome", "Report", "SigmaDeltaReport", "StepOutcome"),
    "snnc.runtime.agreement": ("Agreement", "LayerAgreement"),
    "snnc.runtime.energy": ("EnergyEstimate", "OperationCounts"),
    "snnc.runtime.hardware.lab": ("LabResult", "read_lab_result"),
    "snnc.runtime.report": ("plot_placement",),
    "snnc.runtime.result": ("RunResult",),
    "snnc.thresholds": ("LayerThresholds",),
    "snnc.thresholds.plot": ("plot_thresholds",),
    "snnc.validation": ("LayerComparison", "Validation"),
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("snnc")
    elif name in __all__:
        home = next((module for module, names in _HOMES.items() if name in names), "snnc.errors")
        value = getattr(importlib.import_module(home), name)
    else:
        raise AttributeError(f"module 'snnc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
