"""What is wrong with a conversion: where accuracy is lost, in which layers, and what to try."""

from snnc.analysis.diagnosis.diagnose import Diagnosis, diagnose_program
from snnc.analysis.diagnosis.evidence import LayerErrors, Stage
from snnc.analysis.diagnosis.findings import Finding

__all__ = ["Diagnosis", "Finding", "LayerErrors", "Stage", "diagnose_program"]
