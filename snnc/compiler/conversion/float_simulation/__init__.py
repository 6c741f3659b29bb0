"""The spiking network in floating point, before it is quantised: the reference for thresholds, potentials and neurons.

It lives in the compiler and not in the runtime, because it runs the compiler's graph and the runtime knows files only.
"""

from snnc.compiler.conversion.float_simulation.network import FloatRun, simulate
from snnc.compiler.conversion.float_simulation.neurons import NEURONS, Neuron, spike_trains

__all__ = ["NEURONS", "FloatRun", "Neuron", "simulate", "spike_trains"]
