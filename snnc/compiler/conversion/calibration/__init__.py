"""Corrections of spiking layers that calibration data give, without labels and without training."""
