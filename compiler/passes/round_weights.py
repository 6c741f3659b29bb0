"""Rounding weights to the chip's steps."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.targets import Target

# Share of the mean variance that is added to each input's at least: inputs that never vary are rounded to the nearest.
RIDGE = 1e-4
SWEEPS_MAXIMUM = 100
BLOCK = 64


def round_to_nearest(weight: FloatArray, target: Target) -> FloatArray:
    """Each weight as the nearest one that the target has.

    Args:
        weight: In weight units.
        target: The chip.
    """
    step = target.weight_step
    rounded: FloatArray = (np.rint(weight / step) * step).clip(target.weight_minimum, target.weight_maximum)
    return rounded


def round_for_inputs(weight: FloatArray, covariance: FloatArray, target: Target, ridge: float = RIDGE) -> FloatArray:
    """Weights of the target that make the variance of the rounding error over the inputs small.

    With e = rounded - weight, the error of a neuron's drive has the variance ``e C e``. What a neuron reads is not
    independent: neighbouring pixels are nearly the same number. Errors that cancel on them cost nothing, so a weight is
    rounded with an eye to the others. The best integers would be the solution of a closest vector problem; the nearest
    plane algorithm (Babai, *On Lovasz' lattice reduction and the nearest lattice point problem*, 1986; for networks
    Frantar, Ashkboos, Hoefler, Alistarh, *GPTQ*, 2023) finds good ones: weight after weight is rounded, and those that
    are left make up for it. Then single weights move by whole steps as long as that lowers the variance. A row never
    comes out worse than with its nearest multiples.

    Args:
        weight: (outputs, fan-in), in weight units.
        covariance: C, (fan-in, fan-in).
        target: The chip.
        ridge: Share of the mean variance that is added to each input's. Where a covariance rests on few samples, errors
            would otherwise go where these happened not to vary.

    Returns:
        (outputs, fan-in).
    """
    nearest = round_to_nearest(weight, target)
    added = ridge * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    metric = covariance + added * np.eye(len(covariance))
    found = _descend(weight, _nearest_plane(weight, metric, target), metric, target)
    worse = drive_variance(found - weight, metric) > drive_variance(nearest - weight, metric)
    found[worse] = nearest[worse]
    return found


def drive_variance(change: FloatArray, covariance: FloatArray) -> FloatArray:
    """Variance of what a change of the weights does to each output's drive, (outputs,).

    Args:
        change: (outputs, fan-in).
        covariance: (fan-in, fan-in).
    """
    variance: FloatArray = ((change @ covariance) * change).sum(1)
    return variance


def _nearest_plane(weight: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Rounds from the last input to the first, each as the errors of those after it make it best."""
    upper = np.linalg.cholesky(metric).T
    upper /= np.diag(upper)[:, None]
    rounded, error = np.zeros_like(weight), np.zeros_like(weight)
    inputs = weight.shape[1]
    for begin in reversed(range(0, inputs, BLOCK)):
        end = min(begin + BLOCK, inputs)
        # What the blocks behind carry over, in one product.
        carried = error[:, end:] @ upper[begin:end, end:].T
        for index in reversed(range(begin, end)):
            own = error[:, index + 1 : end] @ upper[index, index + 1 : end]
            rounded[:, index] = round_to_nearest(weight[:, index] - carried[:, index - begin] - own, target)
            error[:, index] = rounded[:, index] - weight[:, index]
    return rounded


def _descend(weight: FloatArray, start: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Moves single weights as long as that lowers the variance."""
    rounded = start.copy()
    slope = (rounded - weight) @ metric
    for _ in range(SWEEPS_MAXIMUM):
        settled = True
        for index, curvature in enumerate(np.diag(metric)):
            wanted = rounded[:, index] - slope[:, index] / curvature
            move = round_to_nearest(wanted, target) - rounded[:, index]
            # Between two that are equally good, noise of the arithmetic must not go back and forth.
            gain = -(2 * slope[:, index] + move * curvature) * move
            (moved,) = (gain > 1e-9 * curvature).nonzero()
            if len(moved):
                settled = False
                rounded[moved, index] += move[moved]
                slope[moved] += move[moved, None] * metric[index]
        if settled:
            break
    return rounded
