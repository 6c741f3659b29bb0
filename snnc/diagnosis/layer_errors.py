"""What a spiking layer's rates lose against the ANN's activations, split by cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import Layer

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LayerErrors:
    """Errors of a layer, over all samples and neurons; the first five are shares of the sum of the ANN's activations.

    The rates are held against what the neuron would give if it received exactly the ANN's values, evenly: that is the
    activation clipped at Vth and rounded to one of T + 1 levels. What is left is received from the layers before, from
    spikes that come unevenly, and from weights that are integers.

    Attributes:
        name: The layer.
        where: Its modules, as errors name them.
        clipped: Sum of what activations exceed Vth by.
        rounded: Sum of the distances of clipped activations from their levels.
        received: Sum of the distances of the rates from those levels.
        total: Sum of the distances of the rates from the activations.
        shift: The rates' sum less the activations': below 0 where rates fall short.
        silent: Share of the neurons that the ANN activates and that never fire.
        saturated: Share of the neurons and samples that fire in every step.
        rate: Mean spikes for each neuron and step.
        largest_weight: Magnitude of the largest weight for spikes of other layers, 0..256, of weights that are whole
            and even: where it is small, the layer is a coarse copy of the ANN's. None where it reads the input alone,
            or is memoryless: one spike is then all that a neuron of it needs.
        memoryless: Whether it passes spikes on without adding any up: maximum pooling by ``or``.
    """

    name: str
    where: str
    clipped: float
    rounded: float
    received: float
    total: float
    shift: float
    silent: float
    saturated: float
    rate: float
    largest_weight: int | None
    memoryless: bool = False


class LayerErrorSums:
    """Adds up the errors of a layer, batch by batch.

    Args:
        layer: The layer.
        timesteps: T.
        threshold: Vth of each channel, shaped to be combined with a batch.
    """

    def __init__(self, layer: Layer, timesteps: int, threshold: FloatArray) -> None:
        self._layer = layer
        self._timesteps = timesteps
        self._threshold = threshold
        self._sums = np.zeros(6)
        self._active = np.zeros(layer.shape, bool)
        self._fired = np.zeros(layer.shape, bool)
        self._full = self._spikes = 0.0
        self._samples = 0

    def add(self, activations: FloatArray, rates: FloatArray) -> None:
        """Adds a batch: both (samples, *layer shape), in the ANN's units."""
        clipped = np.minimum(activations, self._threshold)
        levels = self.levels(activations)
        self._sums += (
            activations.sum(),
            (activations - clipped).sum(),
            np.abs(levels - clipped).sum(),
            np.abs(rates - levels).sum(),
            np.abs(rates - activations).sum(),
            (rates - activations).sum(),
        )
        self._active |= (activations > 0).any(axis=0)
        self._fired |= (rates > 0).any(axis=0)
        steps = rates / self._threshold
        # Half a spike less than all of them: rates are sums of floating point numbers.
        self._full += float((steps > 1 - 0.5 / self._timesteps).mean(axis=tuple(range(1, rates.ndim))).sum())
        self._spikes += float(steps.mean(axis=tuple(range(1, rates.ndim))).sum())
        self._samples += len(rates)

    def levels(self, activations: FloatArray) -> FloatArray:
        """What the neuron gives for a constant input: equation 5 of the paper, with the layer's initial potential."""
        assert self._layer.threshold is not None
        start = self._layer.initial_potential / self._layer.threshold.value
        counts = np.floor(self._timesteps * activations / self._threshold + start)
        levels: FloatArray = counts.clip(0, self._timesteps) / self._timesteps * self._threshold
        return levels

    def result(self) -> LayerErrors:
        """The errors over all batches."""
        whole, *parts = self._sums
        clipped, rounded, received, total, shift = (float(part / whole) if whole else 0.0 for part in parts)
        active = int(self._active.sum())
        # How fine weights for the input are depends on how it is spread over the steps, which the compiler looks at.
        inner = [synapse for synapse in self._layer.synapses if synapse.source >= 0 and not self._layer.memoryless]
        return LayerErrors(
            name=self._layer.name,
            where=self._layer.where,
            clipped=clipped,
            rounded=rounded,
            received=received,
            total=total,
            shift=shift,
            silent=int((self._active & ~self._fired).sum()) / active if active else 0.0,
            saturated=self._full / self._samples,
            rate=self._spikes / self._samples,
            largest_weight=max((int(np.abs(each.weight).max(initial=0)) for each in inner), default=None),
            memoryless=self._layer.memoryless,
        )
