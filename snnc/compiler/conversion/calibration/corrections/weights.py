"""A layer's weights, fitted to the spikes that it really receives."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from snnc.common.digits import rounded_together
from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.conversion.calibration.layer_data import LayerData, with_rounded_bias
from snnc.compiler.ir import Conv2d, Linear, Readout, SpikingLayer
from snnc.compiler.ir.pooling import windows

# Beyond so many inputs of a neuron the normal equations take too long.
FAN_IN_MAXIMUM = 2304
# How much the weights are held back at least, relative to the mean variance of what they read.
RIDGE = 1e-2
# What is missing changes as neurons begin to fire or fall silent, so that one solution does not end it.
ROUNDS = 3
# Windows for each weight of a neuron, as far as there are.
WINDOWS_PER_INPUT = 24
WINDOWS_LEAST = 1 << 14


def movable(layer: LayerData, op: SpikingLayer | Readout) -> Conv2d | Linear | None:
    """Return the synapse whose weights are moved; None where none is."""
    first = op.synapses[0]
    if layer.sources[0].spikes is None or not isinstance(first, Conv2d | Linear):
        return None
    if first.weight[0].size > FAN_IN_MAXIMUM or (isinstance(first, Conv2d) and first.groups > 1):
        return None
    return first


def windows_seen(layer: LayerData, op: SpikingLayer | Readout) -> tuple[int, int]:
    """Return the windows that the data show of what the moved synapse reads, and the inputs of a neuron; 0, 0: none."""
    first = movable(layer, op)
    return (0, 0) if first is None else (_windows(layer, first), first.weight[0].size)


def _windows(layer: LayerData, synapse: Conv2d | Linear) -> int:
    return layer.samples * (math.prod(layer.node.shape[1:]) if isinstance(synapse, Conv2d) else 1)


@correction("weights", order=10, before_thresholds=True, windows=windows_seen, recommended=True)
def correct_weights(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """Move the weights so that what they make of the spikes comes nearest to what the ANN's made of activations.

    Layer after layer, as in the advanced pipeline of Li et al. 2021 (*A Free Lunch From ANN*). Theirs descends a
    gradient; here what is missing is fitted in closed form. With rates r, the ANN's drive d and the layer's mean drive
    m, what is missing is ``e = relu(d) - relu(m)`` (of a readout ``d - m``): a neuron that is rightly silent misses
    nothing. Then ``dW = cov(e, r) (cov(r) + ridge)^-1``, the means go to the bias, and so again.

    Only the first synapse is moved; the input, which arrives whole, leaves nothing to correct.

    Args:
        layer: The layer and its data.
        op: The layer as corrected so far.

    Returns:
        With other weights and biases; as it is where the first synapse reads the input, is sparse, has groups, or its
        fan-in is beyond ``FAN_IN_MAXIMUM``.
    """
    first = movable(layer, op)
    if first is None:
        return op
    regression = _Regression.of(layer, first)
    for _ in range(ROUNDS):
        change, shift = regression.solve(layer, op)
        first, others = movable(layer, op), op.synapses[1:]
        assert first is not None
        # So that the last bits of the solution, which depend on the number of threads, are lost.
        weight = rounded_together(first.weight + change.numpy().reshape(first.weight.shape))
        op = with_rounded_bias(replace(op, synapses=(replace(first, weight=weight), *others)), shift.numpy())
    return op


@dataclass(frozen=True, eq=False)
class _Regression:
    """What is missing of a layer, as a linear function of what its first synapse reads.

    Attributes:
        synapse: That synapse.
        every: Every n-th window of a batch is looked at.
        count: Number of windows.
        mean: Mean window, (fan-in,).
        factor: Cholesky factor of the covariance with the ridge, (fan-in, fan-in).
    """

    synapse: Conv2d | Linear
    every: int
    count: int
    mean: torch.Tensor
    factor: torch.Tensor

    @classmethod
    def of(cls, layer: LayerData, synapse: Conv2d | Linear) -> _Regression:
        """Look at all that the synapse reads."""
        fan_in = synapse.weight[0].size
        every = max(1, _windows(layer, synapse) // max(WINDOWS_LEAST, WINDOWS_PER_INPUT * fan_in))
        total = torch.zeros(fan_in, dtype=torch.float64)
        products = torch.zeros(fan_in, fan_in, dtype=torch.float64)
        count = 0
        for samples in layer.batches():
            rows = _rows(synapse, layer.sources[0].rates(samples))[samples.start % every :: every].double()
            total += rows.sum(0)
            products.addmm_(rows.T, rows)
            count += len(rows)
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        # The fewer the windows, the less of what they seem to say is true of others.
        ridge = max(RIDGE, fan_in / count) * float(covariance.diagonal().mean()) + 1e-12
        # What rounding leaves of the variance of a constant may be below 0.
        ridge += 1e-9 * float(products.diagonal().mean()) / count
        factor = torch.linalg.cholesky(covariance + ridge * torch.eye(fan_in, dtype=torch.float64))
        return cls(synapse, every, count, mean, factor)

    def solve(self, layer: LayerData, op: SpikingLayer | Readout) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the change of the weights, (channels, fan-in), and of the biases, (channels,)."""
        total = torch.zeros(layer.node.shape[0], dtype=torch.float64)
        products = torch.zeros(len(self.mean), layer.node.shape[0], dtype=torch.float64)
        for samples in layer.batches():
            some = slice(samples.start % self.every, None, self.every)
            missing = _by_position(_missing(layer, op, samples))[some].double()
            rows = _rows(self.synapse, layer.sources[0].rates(samples))[some].double()
            total += missing.sum(0)
            products.addmm_(rows.T, missing)
        mean = total / self.count
        change = torch.cholesky_solve(products / self.count - torch.outer(self.mean, mean), self.factor).T
        return change, mean - change @ self.mean


def _missing(layer: LayerData, op: SpikingLayer | Readout, samples: slice) -> torch.Tensor:
    wanted, found = layer.ann_drive(samples), layer.mean_drive(op, samples)
    return wanted - found if isinstance(op, Readout) else wanted.relu_() - found.relu_()


def _by_position(values: torch.Tensor) -> torch.Tensor:
    """Return (samples, channels, ...) as (samples x positions, channels)."""
    return values.flatten(2).transpose(1, 2).flatten(0, 1) if values.dim() > 2 else values


def _rows(synapse: Conv2d | Linear, values: torch.Tensor) -> torch.Tensor:
    """Return what every neuron reads, (samples x positions, fan-in)."""
    return windows(synapse, values).transpose(1, 2).flatten(0, 1)
