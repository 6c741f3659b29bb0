"""Corrections of spiking layers that calibration data give, without labels and without training."""

from snnc.compiler.calibration.calibrator import Calibrator
from snnc.compiler.calibration.corrections import CORRECTIONS, Correction

__all__ = ["CORRECTIONS", "Calibrator", "Correction"]
