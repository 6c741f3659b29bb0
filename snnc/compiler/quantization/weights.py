"""The rounding of a network's weights, with an eye to what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.compiler.ir import Conv2d, Linear
from snnc.compiler.quantization.input_moments import InputMoments, Place
from snnc.program.targets import Target

# Share of the mean variance that is added to each input's at least: inputs that never vary are rounded to the nearest.
RIDGE = 1e-4
SWEEPS_MAXIMUM = 100
BLOCK = 64


def round_to_nearest(weight: FloatArray, target: Target) -> FloatArray:
    """Return each weight as the nearest one that the target has.

    Args:
        weight: In weight units.
        target: The chip.
    """
    step = target.weight_step
    rounded: FloatArray = (np.rint(weight / step) * step).clip(target.weight_minimum, target.weight_maximum)
    return rounded


def round_for_inputs(weight: FloatArray, covariance: FloatArray, target: Target, ridge: float = RIDGE) -> FloatArray:
    """Return weights of the target that make the variance of the rounding error over the inputs small.

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
    """Return the variance of what a change of the weights does to each output's drive, (outputs,).

    Args:
        change: (outputs, fan-in).
        covariance: (fan-in, fan-in).
    """
    variance: FloatArray = ((change @ covariance) * change).sum(1)
    return variance


def _nearest_plane(weight: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Round from the last input to the first, each as the errors of those after it make it best."""
    upper = np.linalg.cholesky(metric).T
    upper /= np.diag(upper)[:, None]
    rounded, error = np.zeros_like(weight), np.zeros_like(weight)
    inputs = weight.shape[1]
    for begin in reversed(range(0, inputs, BLOCK)):
        end = min(begin + BLOCK, inputs)
        # What the later blocks carry over, in one product.
        carried = error[:, end:] @ upper[begin:end, end:].T
        for index in reversed(range(begin, end)):
            own = error[:, index + 1 : end] @ upper[index, index + 1 : end]
            rounded[:, index] = round_to_nearest(weight[:, index] - carried[:, index - begin] - own, target)
            error[:, index] = rounded[:, index] - weight[:, index]
    return rounded


def _descend(weight: FloatArray, start: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Move single weights as long as that lowers the variance."""
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


class WeightRounding:
    """Rounds the weights of synapses, and says what that does to the neurons that they drive.

    What was rounded last at each place is kept: a network is quantised again with another spread of its input, or other
    margins, and most of its layers then have the same weights.

    Args:
        target: The chip.
        moments: Of what the synapses read; those without are rounded to the nearest.
    """

    def __init__(self, target: Target, moments: Mapping[Place, InputMoments] = MappingProxyType({})) -> None:
        self._target = target
        self._moments = dict(moments)
        self._last: dict[Place, tuple[FloatArray, NDArray[np.int16]]] = {}

    def tell(self, place: Place, moments: InputMoments) -> None:
        """Say what a synapse reads from now on."""
        self._moments[place] = moments
        self._last.pop(place, None)

    def rounded(self, place: Place, weight: FloatArray) -> NDArray[np.int16]:
        """Return the weights that the chip gets.

        Args:
            place: Where they are.
            weight: In weight units, in the shape of the operation's.
        """
        if place not in self._moments:
            return round_to_nearest(weight, self._target).astype(np.int16)
        if place in self._last and np.array_equal(self._last[place][0], weight):
            return self._last[place][1]
        covariance = self._moments[place].covariance
        ridge = max(RIDGE, covariance.shape[-1] / self._moments[place].windows)
        rows = zip(self._by_group(weight, covariance), covariance, strict=True)
        rounded = np.concatenate([round_for_inputs(each, its, self._target, ridge) for each, its in rows])
        found: NDArray[np.int16] = rounded.reshape(weight.shape).astype(np.int16)
        self._last[place] = (weight, found)
        return found

    def mean_change(self, place: Place, op: Conv2d | Linear, change: FloatArray, unit: float) -> FloatArray:
        """Return what a change of the weights adds to the drive of each neuron in a step, on average.

        Args:
            place: Where they are; of those whose inputs are known.
            op: The operation.
            change: Of its weights, in weight units.
            unit: Levels that a unit of the input stands for; 1 where a layer is read.

        Returns:
            (*layer shape), in weight units.
        """
        changed = replace(op, weight=change, bias=np.zeros(len(change)))
        drive: FloatArray = changed.apply(torch.as_tensor(self._moments[place].mean / unit)[None])[0].numpy()
        return drive

    def deviation(self, place: Place, change: FloatArray, unit: float) -> FloatArray:
        """Return the standard deviation of a weight change's effect on the drive of a step, (channels,), weight units.

        Args:
            place: As for :meth:`mean_change`.
            change: As for :meth:`mean_change`.
            unit: As for :meth:`mean_change`.
        """
        covariance = self._moments[place].covariance
        rows = zip(self._by_group(change, covariance), covariance, strict=True)
        variance = np.concatenate([drive_variance(each, its) for each, its in rows]).clip(0)
        deviation: FloatArray = np.sqrt(variance) / unit
        return deviation

    def knows(self, place: Place) -> bool:
        """Return whether what a synapse reads is known."""
        return place in self._moments

    def _by_group(self, weight: FloatArray, covariance: FloatArray) -> FloatArray:
        """Return the weights as (groups, outputs / groups, fan-in)."""
        return weight.reshape(len(covariance), -1, covariance.shape[-1])
