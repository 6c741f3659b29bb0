"""The rounding of a network's weights, with an eye to what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.ir import Conv2d, Linear
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.input_moments import InputMoments, Place
from snnc.compiler.passes.round_weights import RIDGE, drive_variance, round_for_inputs, round_to_nearest
from snnc.compiler.targets import Target


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
        """Says what a synapse reads from now on."""
        self._moments[place] = moments
        self._last.pop(place, None)

    def rounded(self, place: Place, weight: FloatArray) -> NDArray[np.int16]:
        """The weights that the chip gets.

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
        """What a change of the weights adds to the drive of each neuron in a step, on average.

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
        """Standard deviation of what a change of the weights does to the drive in a step, (channels,), weight units.

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
        """Whether what a synapse reads is known."""
        return place in self._moments

    def _by_group(self, weight: FloatArray, covariance: FloatArray) -> FloatArray:
        """(groups, outputs / groups, fan-in)."""
        return weight.reshape(len(covariance), -1, covariance.shape[-1])
