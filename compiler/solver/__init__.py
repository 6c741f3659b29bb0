"""Thresholds and initial potentials from activations: arrays in, numbers out, no network in sight."""

from snnc.compiler.solver.distribution import Distribution
from snnc.compiler.solver.error import conversion_error, spike_counts
from snnc.compiler.solver.methods import (
    METHODS,
    OBJECTIVES,
    POTENTIALS,
    SEARCHES,
    Method,
    solve,
    solve_channels,
    solve_distributions,
)
from snnc.compiler.solver.potential import search_potential
from snnc.compiler.solver.sketch import ActivationSketch
from snnc.compiler.solver.solution import Solution

__all__ = [
    "METHODS",
    "OBJECTIVES",
    "POTENTIALS",
    "SEARCHES",
    "ActivationSketch",
    "Distribution",
    "Method",
    "Solution",
    "conversion_error",
    "search_potential",
    "solve",
    "solve_channels",
    "solve_distributions",
    "spike_counts",
]
