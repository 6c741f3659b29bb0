"""What each spiking layer did, beside the ANN's activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.analysis.diagnosis import LayerErrors
from snnc.analysis.thresholds import LayerThresholds
from snnc.analysis.validation.pairs import LayerComparison, LayerStatistics, Pair
from snnc.analysis.validation.spiking import threshold_of
from snnc.common.arrays import FloatArray
from snnc.program import CompiledNetwork, Layer, Program
from snnc.program.layer import named_place
from snnc.runtime.energy import ENERGY_MODELS, OperationCounts, ann_energy, layer_energies


@dataclass(frozen=True)
class LayerEnergy:
    """A layer, for one sample on average.

    Attributes:
        name: The layer; of the ANN alone its module, where no layer stands for it.
        spikes: Spikes that it sends; None for the readout and for what is of the ANN alone.
        operations: Synaptic operations at its synapses.
        macs: Multiply-accumulates of the ANN's modules that it stands for.
        snn: Joules of its synapses and neurons, by energy model.
        ann: Joules of those modules, by energy model; None where the model does not define them.
    """

    name: str
    spikes: float | None
    operations: float
    macs: int
    snn: Mapping[str, float]
    ann: Mapping[str, float | None]


def energy_of_layers(program: CompiledNetwork, counts: OperationCounts) -> tuple[LayerEnergy, ...]:
    """Return all layers in order, then what of the ANN has no layer of its own; sums are those of the network.

    Args:
        program: The program.
        counts: Operations of a run of all T steps.
    """
    energies = {model.name: layer_energies(model, program, counts) for model in ENERGY_MODELS}
    # A module that several layers stand for, as where channels were split, is counted once, at the first.
    left = {each.module: each.macs for each in program.ann}
    found = []
    for index, layer in enumerate(program.layers):
        macs = sum(left.pop(named_place((module,)), 0) for module in layer.modules)
        found.append(
            LayerEnergy(
                name=layer.name,
                spikes=counts.spikes[index] / counts.samples if not layer.is_readout else None,
                operations=counts.synaptic[index] / counts.samples,
                macs=macs,
                snn={name: each[index] for name, each in energies.items()},
                ann=_ann(macs),
            )
        )
    nothing = {model.name: 0.0 for model in ENERGY_MODELS}
    return (
        *found,
        *(LayerEnergy(module, None, 0.0, macs, nothing, _ann(macs)) for module, macs in left.items()),
    )


def _ann(macs: int) -> dict[str, float | None]:
    return {model.name: ann_energy(model, macs=macs) for model in ENERGY_MODELS}


# Pairs of an activation and a rate that are drawn for each layer; its figures are of all.
DRAWN = 4000
_SEED = 0


@dataclass(frozen=True, eq=False)
class Scatter:
    """Some activations and the rates that stand for them, of pairs that are not both 0.

    Attributes:
        activations: (drawn,), >= 0, in thresholds of their channels.
        rates: (drawn,), 0..1: spikes for each step.
    """

    activations: FloatArray
    rates: FloatArray


@dataclass(frozen=True, eq=False)
class LayerEvidence:
    """A spiking layer on the samples.

    Attributes:
        layer: The layer.
        timesteps: T.
        firing: Mean spikes of each neuron for each step, (neurons,), 0..1.
        errors: What its rates lose against the ANN's activations, by cause; None where no value of the ANN corresponds
            to it.
        comparison: How near they come; None likewise.
        scatter: Some of both; None likewise.
        thresholds: Its sorted activations and what its neurons make of each; None where it is memoryless.
    """

    layer: Layer
    timesteps: int
    firing: FloatArray
    errors: LayerErrors | None
    comparison: LayerComparison | None
    scatter: Scatter | None
    thresholds: LayerThresholds | None

    @property
    def dead(self) -> float:
        """Share of the neurons that never fire, 0..1."""
        return float((self.firing == 0).mean())

    @property
    def saturated(self) -> float:
        """Share of the neurons that fire in every step of every sample, 0..1."""
        return float((self.firing == 1).mean())


class LayerWatch:
    """Looks at the layers batch by batch, as ANN and simulator run them.

    Args:
        program: The program.
        samples: How many there will be.
    """

    def __init__(self, program: Program, samples: int) -> None:
        self._layers = {layer.name: layer for layer in program.spiking_layers}
        self._samples = samples
        self._statistics: dict[str, LayerStatistics] = {}
        self._drawn: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
        self._generator = np.random.default_rng(_SEED)

    def add(self, pair: Pair) -> None:
        """Add a batch."""
        for name, activations in pair.activations.items():
            layer, rates = self._layers[name], pair.rates[name]
            threshold = threshold_of(layer)
            if name not in self._statistics:
                self._statistics[name] = LayerStatistics(name, layer.modules, threshold)
                self._drawn[name] = []
            self._statistics[name].add(activations, rates)
            places = np.flatnonzero((activations > 0) | (rates > 0))
            wanted = -(-DRAWN * len(activations) // self._samples)
            if len(places) > wanted:
                places = places[self._generator.integers(0, len(places), wanted)]
            units = np.broadcast_to(threshold, activations.shape).ravel()[places]
            self._drawn[name].append((activations.ravel()[places] / units, rates.ravel()[places] / units))

    def comparison(self, name: str) -> LayerComparison | None:
        """Return the comparison of a layer over all batches; None where the ANN has no such value."""
        statistics = self._statistics.get(name)
        return statistics.result() if statistics else None

    def scatter(self, name: str) -> Scatter | None:
        """Return the pairs that were drawn of a layer; None likewise."""
        drawn = self._drawn.get(name)
        if drawn is None:
            return None
        activations, rates = (np.concatenate(each) for each in zip(*drawn, strict=True))
        return Scatter(activations, rates)
