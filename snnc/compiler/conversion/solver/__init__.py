"""Thresholds and initial potentials from activations: arrays in, numbers out, no network in sight."""

from snnc.compiler.conversion.methods import METHODS, searches
from snnc.compiler.conversion.solver.distribution import Distribution, Method, Solution
from snnc.compiler.conversion.solver.error import conversion_error, search_potential, spike_counts
from snnc.compiler.conversion.solver.methods import (
    OBJECTIVES,
    POTENTIALS,
    solve,
    solve_channels,
    solve_distributions,
)
from snnc.compiler.conversion.solver.sketch import ActivationSketch

# Those that minimise the error; for the others the objective only says in which unit it is told.
SEARCHES = searches()

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
