"""Thresholds and initial potentials from activations: arrays in, numbers out, no network in sight."""

from snnc.compiler.solver.error import SortedActivations, conversion_error, spike_counts
from snnc.compiler.solver.methods import METHODS, Method, solve, solve_channels
from snnc.compiler.solver.solution import Solution

__all__ = [
    "METHODS",
    "Method",
    "Solution",
    "SortedActivations",
    "conversion_error",
    "solve",
    "solve_channels",
    "spike_counts",
]
