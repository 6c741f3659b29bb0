"""A layer on calibration data: what reaches it in the spiking network, and how far that leaves it from the ANN."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.digits import rounded_together
from snnc.compiler.conversion.float_simulation.neurons import send
from snnc.compiler.ir import Node, Readout, Shape, Sparse, SpikingLayer, Weighted
from snnc.compiler.ir.exact_sums import ExactSums
from snnc.compiler.ir.graph import channels_last
from snnc.compiler.ir.ops import as_tensor
from snnc.compiler.quantization.normalized import normalized_bias, normalized_weight
from snnc.program import InputCoding

# Integers below 2 ** 24 are exact in float32; half of that is left for what rounding adds.
BITS = 23


def exact_drive(synapse: Weighted, threshold: FloatArray, fired: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Return a synapse's part of a layer's drive, without its bias.

    Sums of float32 depend on their order, which differs between versions of PyTorch, numbers of threads and sizes of
    batches; spikes then differ, and with them the file. So each neuron's weights become integers of so many bits that
    even all of them together stay exact in float32: whatever the order, the sum is the same. A weight moves by at
    most ``2 ** -23`` of the sum of its neuron's weights' sizes, which the chip's 8 bits do not see.

    Args:
        synapse: The operation.
        threshold: What a spike of each channel of the source stands for, (channels of the source,).
        fired: Spikes, 0 or 1, (batch, *source shape), float32.
        shape: Shape of the layer.

    Returns:
        (batch, *shape), float32.
    """
    ones = np.ones(shape[0])
    weight = normalized_weight(synapse, ones, threshold, tuple(fired.shape[1:]))
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = np.abs(weight)
        grain = _grain(np.asarray(matrix.sum(axis=1), np.float64).ravel())
        matrix.data = np.rint(weight / np.repeat(grain, np.diff(matrix.indptr)))
        whole: Weighted = replace(synapse, matrix=matrix, bias=np.zeros_like(synapse.bias))
        grain = grain.reshape(shape)
    else:
        sizes = np.abs(weight).reshape(len(weight), -1).sum(1)
        grain = _grain(sizes)
        rounded = np.rint(weight / per_channel(grain, weight.ndim))
        whole = replace(synapse, weight=rounded, bias=np.zeros_like(synapse.bias))
        grain = per_channel(grain, len(shape))
    drive = whole.apply(channels_last(fired))
    return drive * as_tensor(grain, drive)


def _grain(sizes: FloatArray) -> FloatArray:
    """Return, for each neuron, the power of two that its weights are multiples of, given the sum of their sizes."""
    _, exponent = np.frexp(sizes)
    grain: FloatArray = np.ldexp(1.0, exponent - BITS)
    return grain


def with_rounded_bias(op: SpikingLayer | Readout, shift: FloatArray) -> SpikingLayer | Readout:
    """Return the layer as :func:`with_bias` does, for a shift whose last bits depend on the order of sums."""
    return with_bias(op, rounded_together(shift[None])[0])


def with_bias(op: SpikingLayer | Readout, shift: FloatArray) -> SpikingLayer | Readout:
    """Return the layer with ``shift`` (channels,) added to its bias, which its first synapse carries."""
    first, *others = op.synapses
    return replace(op, synapses=(replace(first, bias=first.bias + per_channel(shift, first.bias.ndim)), *others))


class HeldDrives:
    """What a layer receives at each step on a few samples, and what the ANN makes of them.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far; what it receives is weighted by its synapses.
    """

    def __init__(self, layer: LayerData, op: SpikingLayer) -> None:
        self._layer = layer
        batches = list(layer.batches(layer.few))
        self._drives = [layer.drive(op, samples) for samples in batches]
        self._wanted = [layer.ann_activation(samples) for samples in batches]

    def missing(self, op: SpikingLayer) -> FloatArray:
        """Return what each channel's rate misses of the ANN's activation on average, (channels,).

        Args:
            op: The layer with other thresholds or potentials, its synapses as they were.
        """
        total = torch.zeros(self._layer.node.shape[0], dtype=torch.float64)
        for drive, activation in zip(self._drives, self._wanted, strict=True):
            rates = self._layer.spikes(op, drive).mean(0, dtype=torch.float64)
            total += (activation - rates).sum(dim=self._layer.other_axes)
        mean: FloatArray = (total / sum(each[:, 0].numel() for each in self._wanted)).numpy()
        return mean

    def shift(self, bias: FloatArray) -> None:
        """Add to the drive of each channel, (channels,)."""
        for drive in self._drives:
            drive += self._layer.per_channel(bias, drive)


class SpikeStore:
    """Spikes of a population, packed: eight of them to a byte.

    Args:
        samples: Number of samples.
        timesteps: T.
        shape: Shape of the population.
    """

    def __init__(self, samples: int, timesteps: int, shape: Shape) -> None:
        self._shape = shape
        self._neurons = math.prod(shape)
        self._bits: NDArray[np.uint8] = np.zeros((samples, timesteps, -(-self._neurons // 8)), np.uint8)

    def put(self, samples: slice, spikes: torch.Tensor) -> None:
        """Keep the spikes of some samples.

        Args:
            samples: Which.
            spikes: (T, samples, *shape); anything but 0 is a spike.
        """
        fired = (spikes != 0).flatten(2).transpose(0, 1).numpy()
        self._bits[samples] = np.packbits(fired, axis=2)

    def get(self, samples: slice) -> torch.Tensor:
        """Return the spikes of some samples, 0 or 1, (T, samples, *shape), float32."""
        fired = np.unpackbits(self._bits[samples], axis=2, count=self._neurons)
        found = torch.from_numpy(fired).to(torch.float32).transpose(0, 1)
        return found.reshape(found.shape[0], found.shape[1], *self._shape)


@dataclass(frozen=True, eq=False)
class Received:
    """What a source sends, beside what the ANN would.

    Attributes:
        activations: The ANN's, (samples, *shape), float32; of the input its levels.
        spikes: What the spiking network sends; None for the input.
        threshold: What a spike of each channel stands for, (channels,); of the input the levels of a unit.
        coding: How levels become the first layer's input; None for a layer.
        timesteps: T.
    """

    activations: torch.Tensor
    spikes: SpikeStore | None
    threshold: FloatArray
    coding: InputCoding | None = None
    timesteps: int = 1

    @classmethod
    def of_input(cls, levels: torch.Tensor, coding: InputCoding, timesteps: int) -> Received:
        """Return the input of the network, levels (samples, *shape)."""
        unit = np.full(levels.shape[1], float(coding.levels_per_unit))
        return cls(levels, None, unit, coding, timesteps)

    def sent(self, samples: slice) -> torch.Tensor:
        """Return what arrives, in units of the activations, (T or 1, samples, *shape)."""
        if self.coding is not None:
            if self.coding.constant:
                return self.activations[samples][None]
            levels = self.activations[samples].to(torch.uint8).numpy()
            payloads = torch.from_numpy(self.coding.spikes(levels, self.timesteps)).transpose(0, 1)
            return payloads.to(torch.float32) * self.coding.levels_per_unit
        assert self.spikes is not None
        spikes = self.spikes.get(samples)
        return spikes * per_channel(as_tensor(self.threshold, spikes), spikes.dim() - 2)

    def spike_rates(self, samples: slice) -> torch.Tensor:
        """Return the spikes for each step, (samples, *shape); of the input its levels."""
        if self.spikes is None:
            return self.activations[samples]
        return self.spikes.get(samples).mean(0, dtype=torch.float64).float()

    def rates(self, samples: slice) -> torch.Tensor:
        """Return the mean of what arrives over the steps, (samples, *shape)."""
        return self._rates[samples]

    @cached_property
    def _rates(self) -> torch.Tensor:
        """Of all samples: corrections ask for them again and again, and unpacking T steps takes long."""
        rates = torch.empty_like(self.activations)
        for sample in range(len(rates)):
            one = slice(sample, sample + 1)
            rates[one] = self.sent(one).mean(0, dtype=torch.float64)
        return rates


# Bytes of the drives of all steps that are held while a layer is corrected.
DRIVES = 1 << 29
LEAST_SAMPLES = 64
# Values of one batch, all steps, that are worked on at once.
BATCH_VALUES = 1 << 22


class LayerData:
    """A layer on calibration data.

    Args:
        node: The layer as the ANN has it.
        sources: What its synapses read.
        samples: Number of samples.
        timesteps: T.
        lead: Steps that it integrates before it may fire.

    Attributes:
        node: As given, like the other arguments.
        few: The samples whose drives of all steps may be held at once; the first ones.
        other_axes: All axes of (samples, *shape) but that of the channels.
    """

    def __init__(self, node: Node, sources: list[Received], samples: int, timesteps: int, lead: int) -> None:
        assert isinstance(node.op, SpikingLayer | Readout)
        self.node = node
        self.sources = sources
        self.samples = samples
        self.timesteps = timesteps
        self.lead = lead
        self._ann_sums = ExactSums(node.op.synapses)
        # Batches follow one another with the same operation.
        self._op, self._sums = node.op, self._ann_sums
        neurons = math.prod(node.shape)
        fitting = max(LEAST_SAMPLES, DRIVES // (4 * timesteps * neurons))
        self.few = slice(0, min(samples, fitting))
        self.other_axes = (0, *range(2, len(node.shape) + 1))
        self._batch = max(1, BATCH_VALUES // (timesteps * max(neurons, *(s.activations[0].numel() for s in sources))))

    def batches(self, within: slice | None = None) -> Iterator[slice]:
        """Return samples in batches, in order."""
        end = within.stop if within else self.samples
        for start in range(0, end, self._batch):
            yield slice(start, min(start + self._batch, end))

    def ann_drive(self, samples: slice) -> torch.Tensor:
        """Return the input of the ANN's activation function, (samples, *shape), float32."""
        return self._ann_sums.drive(*(channels_last(source.activations[samples]) for source in self.sources))

    def ann_activation(self, samples: slice) -> torch.Tensor:
        """Return what the ANN puts out, (samples, *shape), float32."""
        drive = self.ann_drive(samples)
        return self.node.op.activate(drive) if isinstance(self.node.op, SpikingLayer) else drive

    def drive(self, op: SpikingLayer | Readout, samples: slice) -> torch.Tensor:
        """Return what arrives each step with ``op``'s weights and biases, (T or 1, samples, *shape), float32."""
        total = torch.tensor(normalized_bias(op.synapses, len(self.node.shape)), dtype=torch.float32)[None, None]
        for synapse, source in zip(op.synapses, self.sources, strict=True):
            if source.spikes is None:
                sent = source.sent(samples)
                unbiased = replace(synapse, bias=np.zeros_like(synapse.bias))
                part = unbiased.apply(channels_last(sent.flatten(0, 1).double())).float()
            else:
                sent = source.spikes.get(samples)
                part = exact_drive(synapse, source.threshold, sent.flatten(0, 1), self.node.shape)
            total = total + part.reshape(*sent.shape[:2], *self.node.shape)
        return total

    def mean_drive(self, op: SpikingLayer | Readout, samples: slice) -> torch.Tensor:
        """Return the mean of :meth:`drive` over the steps, (samples, *shape), float32."""
        if op is not self._op:
            self._op, self._sums = op, ExactSums(op.synapses)
        return self._sums.drive(*(channels_last(source.rates(samples)) for source in self.sources))

    def spikes(self, op: SpikingLayer, drive: torch.Tensor) -> torch.Tensor:
        """Return what the layer sends for a drive, in units of its activations, (T, samples, *shape)."""
        assert op.threshold is not None and op.initial_potential is not None
        threshold, potential = (self.per_channel(each, drive) for each in (op.threshold, op.initial_potential))
        return send(drive, threshold, potential, self.timesteps, lead=self.lead)[0]

    def per_channel(self, values: FloatArray, like: torch.Tensor) -> torch.Tensor:
        """Return numbers of the channels, or of the neurons, shaped to be combined with (samples, *shape)."""
        found = as_tensor(values, like)
        return per_channel(found, len(self.node.shape)) if found.dim() == 1 else found


def rate_errors(layer: LayerData, op: SpikingLayer, drive: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return squared errors of each channel's rates, summed over samples and places, (channels,).

    Args:
        layer: The layer and its data.
        op: The layer; its synapses and biases made the drive.
        drive: What arrives at each step, (T or 1, samples, *shape).
        wanted: The ANN's activations, (samples, *shape).
    """
    rates = layer.spikes(op, drive).mean(0, dtype=torch.float64)
    errors: torch.Tensor = ((rates - wanted) ** 2).sum(dim=layer.other_axes)
    return errors
