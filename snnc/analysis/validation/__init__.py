"""ANN against simulator against Lava: what a compiled network lost, and where."""

from snnc.analysis.validation.pairs import LayerComparison
from snnc.analysis.validation.validate import Validation, validate_program

__all__ = ["LayerComparison", "Validation", "validate_program"]
