"""All that one wants to know of a conversion, measured; :mod:`snnc.reporting` shows it."""

from snnc.analysis.conversion.collect import measure_report
from snnc.analysis.conversion.layers import LayerEnergy, LayerEvidence, energy_of_layers
from snnc.analysis.conversion.measured import ConversionReport
from snnc.analysis.conversion.passes import PassOutcome
from snnc.analysis.conversion.sigma_delta import SigmaDeltaReport
from snnc.analysis.conversion.spiking import Report, StepOutcome

__all__ = [
    "ConversionReport",
    "LayerEnergy",
    "LayerEvidence",
    "PassOutcome",
    "Report",
    "SigmaDeltaReport",
    "StepOutcome",
    "energy_of_layers",
    "measure_report",
]
