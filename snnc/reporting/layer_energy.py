"""Spikes, operations and energy of each layer, in the spiking network and in the ANN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snnc.compiler.program import CompiledNetwork
from snnc.compiler.program.neuron_layer import named_place
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
    """All layers in order, then what of the ANN has no layer of its own; sums are those of the network.

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
