"""Corrections of spiking layers that calibration data give, without labels and without training."""

from snnc.compiler.conversion.calibration.calibrator import Calibrator
from snnc.compiler.conversion.calibration.corrections import ALL, CORRECTIONS, Correction, named_corrections

__all__ = ["ALL", "CORRECTIONS", "Calibrator", "Correction", "named_corrections"]
