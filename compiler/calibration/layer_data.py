"""What a correction sees of a layer: what it receives, and what the ANN made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from snnc.compiler.calibration.exact_drive import exact_drive
from snnc.compiler.calibration.received import Received
from snnc.compiler.float_simulation.send import send
from snnc.compiler.ir import Node, Readout, SpikingLayer
from snnc.compiler.ir.exact_sums import ExactSums
from snnc.compiler.ir.execute import channels_last
from snnc.compiler.ir.ops import FloatArray, as_tensor
from snnc.compiler.passes.normalize import normalized_bias

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
        """Samples in batches, in order."""
        end = within.stop if within else self.samples
        for start in range(0, end, self._batch):
            yield slice(start, min(start + self._batch, end))

    def ann_drive(self, samples: slice) -> torch.Tensor:
        """The input of the ANN's activation function, (samples, *shape), float32."""
        return self._ann_sums.drive(*(channels_last(source.activations[samples]) for source in self.sources))

    def ann_activation(self, samples: slice) -> torch.Tensor:
        """What the ANN puts out, (samples, *shape), float32."""
        drive = self.ann_drive(samples)
        return self.node.op.activate(drive) if isinstance(self.node.op, SpikingLayer) else drive

    def drive(self, op: SpikingLayer | Readout, samples: slice) -> torch.Tensor:
        """What arrives at each step with the weights and biases of ``op``, (T or 1, samples, *shape), float32."""
        total = torch.as_tensor(normalized_bias(op.synapses, len(self.node.shape)), dtype=torch.float32)[None, None]
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
        """The mean of :meth:`drive` over the steps, (samples, *shape), float32."""
        if op is not self._op:
            self._op, self._sums = op, ExactSums(op.synapses)
        return self._sums.drive(*(channels_last(source.rates(samples)) for source in self.sources))

    def spikes(self, op: SpikingLayer, drive: torch.Tensor) -> torch.Tensor:
        """What the layer sends for a drive, in units of its activations, (T, samples, *shape)."""
        assert op.threshold is not None and op.initial_potential is not None
        threshold, potential = (self.per_channel(each, drive) for each in (op.threshold, op.initial_potential))
        return send(drive, threshold, potential, self.timesteps, lead=self.lead)[0]

    def per_channel(self, values: FloatArray, like: torch.Tensor) -> torch.Tensor:
        """Numbers of the channels, or of the neurons, shaped to be combined with (samples, *shape)."""
        found = as_tensor(values, like)
        return found.reshape(-1, *(1,) * (len(self.node.shape) - 1)) if found.dim() == 1 else found
