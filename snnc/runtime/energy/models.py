"""Energy models: joules per operation, from the literature."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.common.errors import OptionError

# A multiply-accumulate is a multiplication and an addition.
FLOPS_PER_MAC = 2

_PICOJOULE = 1e-12
_FEMTOJOULE = 1e-15


@dataclass(frozen=True, kw_only=True)
class EnergyModel:
    """Joules per operation.

    Attributes:
        name: The name that an option takes.
        source: Where the figures come from, and what they leave out.
        joules_per_synaptic_operation: Energy of one spike arriving at one synapse.
        joules_per_active_update: Energy of one neuron in one time step in which it spikes; 0 where the source has
            no separate figure.
        joules_per_inactive_update: Energy of one neuron in one time step in which it does not spike; 0 likewise.
        joules_per_flop: Energy of one floating point operation of the ANN; None where the model does not define the
            energy of an ANN.
    """

    name: str
    source: str
    joules_per_synaptic_operation: float
    joules_per_active_update: float
    joules_per_inactive_update: float
    joules_per_flop: float | None


QIAO2015 = EnergyModel(
    name="qiao2015",
    source=(
        "The figures that the conversion paper takes (section 9) and credits to N. Qiao et al., 'A reconfigurable "
        "on-line learning spiking neuromorphic processor comprising 256 neurons and 128K synapses', Frontiers in "
        "Neuroscience 9:141, 2015: 12.5 pJ per FLOP and 77 fJ per synaptic operation. Neuron updates, leakage and "
        "spike routing are not counted. The synaptic figure is that of a mixed-signal chip, not of Loihi."
    ),
    joules_per_synaptic_operation=77 * _FEMTOJOULE,
    joules_per_active_update=0.0,
    joules_per_inactive_update=0.0,
    joules_per_flop=12.5 * _PICOJOULE,
)

LOIHI1 = EnergyModel(
    name="loihi1",
    source=(
        "M. Davies et al., 'Loihi: a neuromorphic manycore processor with on-chip learning', IEEE Micro 38(1), 2018, "
        "table 2 (pre-silicon simulation): 23.6 pJ per synaptic operation, given as a minimum, and 81 pJ or 52 pJ per "
        "update of an active or inactive neuron. Spike routing, leakage and the x86 cores are not counted. The chip "
        "does not run an ANN, so the energy of the ANN is not defined."
    ),
    joules_per_synaptic_operation=23.6 * _PICOJOULE,
    joules_per_active_update=81 * _PICOJOULE,
    joules_per_inactive_update=52 * _PICOJOULE,
    joules_per_flop=None,
)

ENERGY_MODELS: tuple[EnergyModel, ...] = (QIAO2015, LOIHI1)


def energy_model_names() -> tuple[str, ...]:
    """Return every name that `get_energy_model` takes."""
    return tuple(model.name for model in ENERGY_MODELS)


def get_energy_model(name: str) -> EnergyModel:
    """Look an energy model up by its name.

    Args:
        name: One of `energy_model_names`.

    Returns:
        The model.

    Raises:
        OptionError: There is no model of that name; the message lists those that there are.
    """
    for model in ENERGY_MODELS:
        if model.name == name:
            return model
    raise OptionError("unknown energy model", expected=f"one of {', '.join(energy_model_names())}", found=repr(name))


def snn_energy(
    model: EnergyModel,
    *,
    synaptic_operations: float,
    neuron_updates_active: float,
    neuron_updates_inactive: float,
) -> float:
    """Estimate the energy of a spiking network.

    The counts may be totals or means per sample, so that they need not be whole; the result is for the same unit.

    Args:
        model: The energy model.
        synaptic_operations: Spikes times the synapses that each reaches, at least 0.
        neuron_updates_active: Neurons times time steps in which they spike, at least 0.
        neuron_updates_inactive: Neurons times time steps in which they do not spike, at least 0.

    Returns:
        The energy in joules.

    Raises:
        OptionError: A count is negative, infinite or NaN.
    """
    _check_count("synaptic_operations", synaptic_operations)
    _check_count("neuron_updates_active", neuron_updates_active)
    _check_count("neuron_updates_inactive", neuron_updates_inactive)
    return (
        synaptic_operations * model.joules_per_synaptic_operation
        + neuron_updates_active * model.joules_per_active_update
        + neuron_updates_inactive * model.joules_per_inactive_update
    )


def ann_energy(model: EnergyModel, *, macs: float) -> float | None:
    """Estimate the energy of an ANN for one input.

    Args:
        model: The energy model.
        macs: Multiply-accumulates for one input, at least 0; each counts as two FLOPs.

    Returns:
        The energy in joules, or None where the model does not define it.

    Raises:
        OptionError: ``macs`` is negative, infinite or NaN.
    """
    _check_count("macs", macs)
    if model.joules_per_flop is None:
        return None
    return FLOPS_PER_MAC * macs * model.joules_per_flop


def _check_count(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise OptionError("not a count", where=name, expected="a finite number of at least 0", found=str(value))
