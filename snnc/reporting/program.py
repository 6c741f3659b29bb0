"""A program as a table and as a JSON object: layers, timing, resources, the ANN's energy, provenance."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.placement import Placement, place
from snnc.program.targets import get_target
from snnc.reporting.layers import View
from snnc.reporting.placement import placement_json
from snnc.reporting.sigma_delta import SigmaDeltaView
from snnc.reporting.spiking import SpikingView
from snnc.reporting.table import Json, Table
from snnc.reporting.validation import verdict_json
from snnc.runtime.energy import count_synapses, estimate_energy


@singledispatch
def view(program: CompiledNetwork) -> View[Any]:
    """Return how a program is shown, by the kind of its neurons."""
    raise NotImplementedError(type(program).__name__)


view.register(Program, SpikingView)
view.register(SigmaDeltaProgram, SigmaDeltaView)


def program_table(program: CompiledNetwork, *, absolute: bool = False) -> Table[Any]:
    """Return a row for each layer: neurons, synapses, parameters of the neurons and the range of their state.

    Args:
        program: The program.
        absolute: Give ranges in the units of the state, and not as shares of their limits.
    """
    return view(program).layers(absolute=absolute)


def program_json(program: CompiledNetwork, placement: Placement | None = None) -> Json:
    """Return what a .net file holds, but for weights and biases, and where it goes on the chip.

    Args:
        program: The program.
        placement: Where it goes; None: it is placed here.
    """
    provenance = program.provenance
    return {
        "verdict": verdict_json(provenance.verdict),
        "target": program.target,
        "neuron": program.neuron,
        **timing_json(program),
        "input": {"coding": program.coding.kind, "shape": list(program.coding.shape)},
        "layers": program_table(program).records(),
        "membrane_limit": program.membrane_limit,
        "resources": resources(program),
        "placement": placement_json(placement or place(program, get_target(program.target))),
        "ann": {
            "macs": sum(layer.macs for layer in program.ann),
            "layers": [{"module": layer.module, "macs": layer.macs} for layer in program.ann],
            "joules": ann_joules(program),
        },
        "provenance": {
            "snnc": provenance.snnc,
            "model": provenance.model,
            "calibration": provenance.calibration,
            "calibration_samples": provenance.calibration_samples,
            "options": provenance.option_texts,
        },
        "notes": list(provenance.notes),
    }


def timing_json(program: CompiledNetwork) -> Json:
    """Return T and lead, the steps that a sample takes in a stream, and those from its first input to its result."""
    return {
        "timesteps": program.timesteps,
        "lead": program.lead,
        "steps_per_sample": program.interval,
        "latency": program.latency,
    }


def resources(program: CompiledNetwork) -> dict[str, int]:
    """Return what a network is made of: neurons, pairs of connected neurons, stored weights (a kernel counts once)."""
    return {
        "neurons": sum(layer.neurons for layer in program.layers),
        "synapses": sum(count_synapses(program)),
        "weights": sum(synapse.weight.size for layer in program.layers for synapse in layer.synapses),
    }


def resources_sentence(program: CompiledNetwork) -> str:
    """Return ``1,610 neurons, 245,952 synapses, 51,984 stored weights``."""
    found = resources(program)
    return f"{found['neurons']:,} neurons, {found['synapses']:,} synapses, {found['weights']:,} stored weights"


def ann_joules(program: CompiledNetwork) -> dict[str, float]:
    """Return the energy of the ANN for one sample, by each model that defines it."""
    return {each.model.name: each.ann for each in estimate_energy(program, None) if each.ann is not None}
