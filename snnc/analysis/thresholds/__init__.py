"""Thresholds against the activations that they stand for: figures, a table and a picture."""

from snnc.analysis.thresholds.layer import LayerThresholds
from snnc.analysis.thresholds.measure import model_thresholds, program_thresholds

__all__ = ["LayerThresholds", "model_thresholds", "program_thresholds"]
