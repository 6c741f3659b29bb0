"""The native simulator: the chip's integers, computed exactly and fast with torch."""

from snnc.runtime.simulator.simulator import MembraneRange, Simulator

__all__ = ["MembraneRange", "Simulator"]
