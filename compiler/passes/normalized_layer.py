"""A layer between floating point and integers."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.ir import Shape, Weighted
from snnc.compiler.ir.ops import FloatArray


@dataclass(frozen=True, eq=False)
class NormalizedLayer:
    """A float layer in units of its threshold; the readout in units of the logits.

    Attributes:
        synapses: What the layer computes.
        weights: The weights of each synapse in thresholds per spike of its source.
        bias: In thresholds, with the layer's axes.
        start: Initial potential v0 / Vth, 0..1; 0 for the readout.
        sources: For each synapse the shape of what it reads and the largest value that one neuron of it sends.
        shape: Shape of the layer.
        measured: Smallest and largest input of the ReLU on the calibration data.
        spiking: Whether it fires; the readout does not.
        where: What errors call it.
    """

    synapses: tuple[Weighted, ...]
    weights: tuple[FloatArray, ...]
    bias: FloatArray
    start: float
    sources: tuple[tuple[Shape, int], ...]
    shape: Shape
    measured: tuple[float, float]
    spiking: bool
    where: str
