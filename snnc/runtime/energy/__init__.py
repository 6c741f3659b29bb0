"""Operation counts and energy models. An energy is an estimate from published figures, never a measurement."""

from __future__ import annotations

from snnc.runtime.energy.estimate import EnergyEstimate, estimate_energy, layer_energies
from snnc.runtime.energy.models import (
    ENERGY_MODELS,
    LOIHI1,
    QIAO2015,
    EnergyModel,
    ann_energy,
    energy_model_names,
    get_energy_model,
    snn_energy,
)
from snnc.runtime.energy.operations import (
    OperationCounts,
    count_netx_operations,
    count_operations,
    count_synapses,
    fan_out,
)

__all__ = [
    "ENERGY_MODELS",
    "LOIHI1",
    "QIAO2015",
    "EnergyEstimate",
    "EnergyModel",
    "OperationCounts",
    "ann_energy",
    "count_netx_operations",
    "count_operations",
    "count_synapses",
    "energy_model_names",
    "estimate_energy",
    "fan_out",
    "get_energy_model",
    "layer_energies",
    "snn_energy",
]
