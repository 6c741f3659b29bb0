"""What is known of a conversion, for the rules that say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snnc.analysis.staircase import ROUNDED, Levels, clipped, rounded
from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.solver import spike_counts
from snnc.compiler.ir import Graph, execute
from snnc.program import Layer
from snnc.program.provenance import TargetError, Task
from snnc.program.targets import Target


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
        levels: Vth and v0 of its channels.
    """

    def __init__(self, layer: Layer, timesteps: int, levels: Levels) -> None:
        self._layer = layer
        self._timesteps = timesteps
        self._threshold, self._potential = levels
        self._sums = np.zeros(6)
        self._active = np.zeros(layer.shape, bool)
        self._fired = np.zeros(layer.shape, bool)
        self._full = self._spikes = 0.0
        self._samples = 0

    def add(self, activations: FloatArray, rates: FloatArray) -> None:
        """Add a batch: both (samples, *layer shape), in the ANN's units."""
        clipped = np.minimum(activations, self._threshold)
        counts = spike_counts(activations, self._threshold, self._potential, self._timesteps)
        # In the order in which rates are made of spikes, so that equal counts have no distance.
        levels = counts / self._timesteps * self._threshold
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

    def result(self) -> LayerErrors:
        """Return the errors over all batches."""
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


STAGES = ("the ANN", "clipped at the thresholds", ROUNDED, "spikes on the simulator")


@dataclass(frozen=True)
class Stage:
    """One step from the ANN to the chip.

    Attributes:
        name: One of ``STAGES``.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1; of values R squared against the ANN's, below 0
            where their mean would be nearer.
        error: How far values are from the targets; None without targets.
    """

    name: str
    accuracy: float | None
    agreement: float
    error: TargetError | None = None


def staged_outputs(
    graph: Graph, images: torch.Tensor, levels: Mapping[str, Levels], timesteps: int, output: str
) -> tuple[FloatArray, FloatArray]:
    """Return outputs of the ANN with each activation clipped, and with each clipped and rounded.

    Args:
        graph: The traced ANN.
        images: What it sees.
        levels: Vth and v0 of each spiking layer, by name.
        timesteps: T.
        output: The node that holds the logits.

    Returns:
        The two, (samples, *output shape) each.
    """
    first, second = (
        execute(graph, images, keep=[output], apply=each)[output].numpy().astype(np.float64)
        for each in (clipped(levels), rounded(levels, timesteps))
    )
    return first, second


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    Attributes:
        stages: From the ANN to the simulator.
        layers: In network order.
        wraps: For each layer that overflowed its modules and how often.
        clipped: Share of the input values outside what the calibration data spanned.
        classes: Number of outputs.
        timesteps: T.
        lead: k.
        corrections: What was corrected of the layers on calibration data (``--calibrate``).
        weighed: Whether several ways to choose thresholds were tried and the best one taken (``--threshold auto``).
        per_channel: Whether each channel has a threshold of its own.
        target: The chip.
        task: What the outputs mean.
    """

    stages: Sequence[Stage]
    layers: Sequence[LayerErrors]
    wraps: Sequence[tuple[str, int]]
    clipped: float
    classes: int
    timesteps: int
    lead: int
    corrections: Sequence[str]
    weighed: bool
    per_channel: bool
    target: Target
    task: Task = "classes"

    @property
    def chance(self) -> float:
        """The accuracy of one who guesses."""
        return 1 / max(2, self.classes)

    def lost(self, index: int) -> float:
        """Return the points that a stage loses against the one before: of accuracy, or without labels of agreement.

        Of values they are hundredths of R squared.
        """
        before, after = self.stages[index - 1 : index + 1]
        if before.accuracy is not None and after.accuracy is not None:
            return 100 * (before.accuracy - after.accuracy)
        return 100 * (before.agreement - after.agreement)
