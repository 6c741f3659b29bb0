"""How near the rates of a spiking layer come to the ANN's activations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# What single precision may add up to, beside the largest value.
SINGLE_PRECISION = 1e-4


@dataclass(frozen=True)
class LayerComparison:
    """A layer's values in the ANN and in the spiking network, over all samples and neurons.

    Attributes:
        name: The layer.
        modules: The PyTorch modules that it stands for.
        correlation: Pearson's, -1..1; None where one side is constant.
        mean_error: Mean absolute difference: for a spiking layer in thresholds (the largest activation that the
            channel can represent), for the readout and sigma-delta layers in the ANN's units.
        largest_error: Largest absolute difference, in the same unit.
        saturated: Share of the ANN's activations above the threshold, 0..1; 0 for the readout.
        bound: The largest error that rounding can make of any of the samples' values, in the same unit; None where no
            bound is known, as of spikes.
        out_of_bound: Values whose error is larger than their bound.
    """

    name: str
    modules: tuple[str, ...]
    correlation: float | None
    mean_error: float
    largest_error: float
    saturated: float
    bound: float | None = None
    out_of_bound: int = 0


class LayerStatistics:
    """Adds up what the comparison of a layer needs, batch by batch.

    Args:
        name: The layer.
        modules: The PyTorch modules that it stands for.
        unit: Threshold of each channel, shaped to be combined with a batch; None: 1.
    """

    def __init__(self, name: str, modules: tuple[str, ...], unit: FloatArray | None) -> None:
        self._name = name
        self._modules = modules
        self._unit = unit
        self._count = 0
        # Mean of both sides, and sums of squared and mixed deviations from it, merged as Chan et al. (1979) do: plain
        # sums of squares lose the digits that a correlation near 1 is made of.
        self._means = np.zeros(2)
        self._deviations = np.zeros((2, 2))
        self._error_sum = 0.0
        self._error_largest = 0.0
        self._saturated = 0
        self._bound: float | None = None
        self._out_of_bound = 0

    def add(self, ann: FloatArray, snn: FloatArray, bound: FloatArray | None = None) -> None:
        """Adds a batch: all (batch, *shape), in the ANN's units; ``bound`` where one is known."""
        error = np.abs(snn - ann)
        if bound is not None:
            reached = bound.reshape(error.shape)
            self._bound = max(self._bound or 0.0, float(reached.max()))
            # The ANN computes in single precision.
            allowed = reached + SINGLE_PRECISION * np.abs(ann).max()
            self._out_of_bound += int((error > allowed).sum())
        if self._unit is not None:
            error = error / self._unit
            self._saturated += int((ann > self._unit).sum())
        self._error_sum += float(error.sum())
        self._error_largest = max(self._error_largest, float(error.max()))
        pair = np.stack([ann.ravel(), snn.ravel()])
        means = pair.mean(axis=1)
        centred = pair - means[:, None]
        count = pair.shape[1]
        total = self._count + count
        shift = means - self._means
        self._deviations += centred @ centred.T + np.outer(shift, shift) * self._count * count / total
        self._means += shift * count / total
        self._count = total

    def result(self) -> LayerComparison:
        """The comparison over all batches."""
        spread = math.sqrt(self._deviations[0, 0] * self._deviations[1, 1])
        return LayerComparison(
            name=self._name,
            modules=self._modules,
            correlation=float(self._deviations[0, 1]) / spread if spread > 0 else None,
            mean_error=self._error_sum / self._count,
            largest_error=self._error_largest,
            saturated=self._saturated / self._count,
            bound=self._bound,
            out_of_bound=self._out_of_bound,
        )
