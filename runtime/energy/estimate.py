"""The energy of a run, and of the ANN, by every model."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.program import CompiledNetwork
from snnc.runtime.energy.models import ENERGY_MODELS, EnergyModel, ann_energy, snn_energy
from snnc.runtime.energy.operations import OperationCounts


@dataclass(frozen=True)
class EnergyEstimate:
    """Energy for one sample by one model.

    Attributes:
        model: The model.
        snn: Joules of the spiking network; None where it was not run.
        ann: Joules of the ANN; None where the model does not define it.
    """

    model: EnergyModel
    snn: float | None
    ann: float | None


def estimate_energy(program: CompiledNetwork, counts: OperationCounts | None) -> tuple[EnergyEstimate, ...]:
    """Estimates the energy for one sample by every model.

    Args:
        program: The program, which knows the ANN's operations.
        counts: Operations of a run; None: only the ANN's energy is estimated.
    """
    macs = sum(layer.macs for layer in program.ann)
    return tuple(
        EnergyEstimate(model, None if counts is None else _snn(model, counts), ann_energy(model, macs=macs))
        for model in ENERGY_MODELS
    )


def _snn(model: EnergyModel, counts: OperationCounts) -> float:
    return snn_energy(
        model,
        synaptic_operations=counts.synaptic_total / counts.samples,
        neuron_updates_active=counts.active_updates / counts.samples,
        neuron_updates_inactive=counts.inactive_updates / counts.samples,
    )


def layer_energies(model: EnergyModel, program: CompiledNetwork, counts: OperationCounts) -> tuple[float, ...]:
    """Estimates what each layer takes of the spiking network's energy.

    Args:
        model: The energy model.
        program: The program.
        counts: Operations of a run of all T steps.

    Returns:
        Joules for one sample, for the synapses into each layer and the updates of its neurons, readout included; their
        sum is that of :func:`estimate_energy`.
    """
    window = program.timesteps + program.lead
    spikes = (*counts.spikes, 0)
    return tuple(
        snn_energy(
            model,
            synaptic_operations=counts.synaptic[index] / counts.samples,
            neuron_updates_active=spikes[index] / counts.samples,
            neuron_updates_inactive=layer.neurons * window - spikes[index] / counts.samples,
        )
        for index, layer in enumerate(program.layers)
    )
