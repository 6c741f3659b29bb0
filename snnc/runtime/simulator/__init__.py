"""The native simulator: the chip's integers, computed exactly and fast with torch."""

from snnc.runtime.simulator.simulator import Simulator
from snnc.runtime.simulator.tally import MembraneRange

__all__ = ["MembraneRange", "Simulator"]
