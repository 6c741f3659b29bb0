"""ANN against simulator against Lava: what a compiled network lost, and where."""

from snnc.validation.compare_layers import LayerComparison
from snnc.validation.validate import Validation, validate_program

__all__ = ["LayerComparison", "Validation", "validate_program"]
