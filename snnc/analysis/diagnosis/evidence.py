"""What is known of a conversion, for the rules that say what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snnc.analysis.staircase import ROUNDED, Levels, clipped, rounded
from snnc.common.arrays import FloatArray
from snnc.compiler.compilation import Remedies
from snnc.compiler.conversion.solver import spike_counts
from snnc.compiler.ir import Graph, Readout, SpikingLayer, execute
from snnc.compiler.ir.sparse import Sparse
from snnc.program import Layer, Program
from snnc.program.targets import Target
from snnc.program.verdict import NormalisationFit, TargetError, Task, Verdict

# Points of accuracy, or of agreement, that are worth a word.
WORTH = 1.0


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


# Each is what the one before loses something of. Where the program is of another network, the fourth is left out.
STAGES = (
    "the ANN",
    "clipped at the thresholds",
    ROUNDED,
    "sent as spikes, in floating point",
    "spikes in the chip's integers",
)
CLIPPED_STAGE, ROUNDED_STAGE, FLOAT_STAGE, INTEGER_STAGE = range(1, 5)


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
        remedies: What can still be done, and what was done: T, lead, corrections.
        target: The chip.
        task: What the outputs mean.
        samples: Number of samples.
        differing: For each stage after the first the share of samples that it decides otherwise than the one before,
            so that neither can be the better by more than luck; 0 of values.
        judged: What compiling said of the integers; None where it did not.
        rounding: What rounding made of the weights.
        normalisation: Whether what arrives at the first batch normalisation is what it was trained on; None where there
            is none.
    """

    stages: Sequence[Stage]
    layers: Sequence[LayerErrors]
    wraps: Sequence[tuple[str, int]]
    clipped: float
    classes: int
    remedies: Remedies
    target: Target
    task: Task = "classes"
    samples: int = 1
    differing: Sequence[float] = ()
    judged: Verdict | None = None
    rounding: Sequence[SynapseRounding] = ()
    normalisation: NormalisationFit | None = None

    @property
    def chance(self) -> float:
        """The accuracy of one who guesses."""
        return 1 / max(2, self.classes)

    def lost(self, index: int) -> float:
        """Return the points that a stage loses against the one before: of accuracy, or without labels of agreement.

        Of values they are hundredths of R squared.
        """
        return self._worth(index - 1) - self._worth(index)

    def costs(self, index: int) -> bool:
        """Return whether a stage loses something worth a word, more than the standard error of its samples."""
        return self._costs(self.lost(index), self.differing[index - 1] if self.differing else 0.0)

    @property
    def has_floating(self) -> bool:
        """Whether it is known what spikes lose in floating point."""
        return len(self.stages) == len(STAGES)

    @property
    def lost_to_spikes(self) -> float:
        """The points that spikes lose against levels, integers apart where these are known apart."""
        if not self.has_floating:
            return self.lost(FLOAT_STAGE)
        # Corrections show in the integers alone, which may then do better than spikes without them.
        return self._worth(ROUNDED_STAGE) - max(self._worth(FLOAT_STAGE), self._worth(INTEGER_STAGE))

    @property
    def spikes_cost(self) -> bool:
        """Whether that is worth a word."""
        return self._costs(self.lost_to_spikes, sum(self.differing[FLOAT_STAGE - 1 :]))

    @property
    def integers_cost(self) -> bool:
        """Whether integers lose something that spikes in floating point keep."""
        return self.has_floating and self.costs(INTEGER_STAGE)

    def _costs(self, lost: float, differing: float) -> bool:
        # Stages decide the same samples, so that only those can be luck that they decide differently.
        error = 100 * math.sqrt(max(0.0, min(1.0, differing) - (lost / 100) ** 2) / self.samples)
        return lost >= WORTH and lost > error

    def _worth(self, index: int) -> float:
        stage = self.stages[index]
        return 100 * (stage.agreement if stage.accuracy is None else stage.accuracy)


@dataclass(frozen=True)
class SynapseRounding:
    """What rounding made of the weights that one layer reads another with.

    Attributes:
        where: The modules of the layer.
        source: What it reads: the name of a layer, or ``the input``.
        zeros: Share of its weights that are not 0, and round to 0.
        threshold: Weight units of the layer's threshold; None of the readout, which has none.
        is_readout: Whether it is the readout's.
    """

    where: str
    source: str
    zeros: float
    threshold: int | None
    is_readout: bool


def roundings(program: Program, graph: Graph) -> tuple[SynapseRounding, ...]:
    """Return what rounding made of the weights of each synapse.

    Args:
        program: The program.
        graph: The network that it was made of, lowered to its layers.
    """
    found = []
    for layer in program.layers:
        op = graph[layer.name].op if layer.name in graph else None
        if not isinstance(op, SpikingLayer | Readout) or len(op.synapses) != len(layer.synapses):
            continue
        for each, synapse in zip(op.synapses, layer.synapses, strict=True):
            weights = each.matrix.data if isinstance(each, Sparse) else each.weight
            some = int(np.count_nonzero(weights))
            source = program.layers[synapse.source].name if synapse.source >= 0 else "the input"
            zeros = 1 - int(np.count_nonzero(synapse.weight)) / some if some else 0.0
            theta = layer.threshold.value if layer.threshold else None
            found.append(SynapseRounding(layer.where, source, max(0.0, zeros), theta, layer.is_readout))
    return tuple(found)
