"""What is wrong with a conversion: where accuracy is lost, in which layers, and what to try."""

from snnc.diagnosis.diagnose import Diagnosis, diagnose_program
from snnc.diagnosis.findings import Finding
from snnc.diagnosis.layer_errors import LayerErrors
from snnc.diagnosis.stages import Stage

__all__ = ["Diagnosis", "Finding", "LayerErrors", "Stage", "diagnose_program"]
