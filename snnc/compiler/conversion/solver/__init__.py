"""Thresholds and initial potentials from activations: arrays in, numbers out, no network in sight."""

from snnc.compiler.conversion.solver.distribution import Distribution, Solution
from snnc.compiler.conversion.solver.error import conversion_error, search_potential, spike_counts
from snnc.compiler.conversion.solver.methods import (
    METHODS,
    OBJECTIVES,
    POTENTIALS,
    SEARCHES,
    Method,
    solve,
    solve_channels,
    solve_distributions,
)
from snnc.compiler.conversion.solver.sketch import ActivationSketch

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
