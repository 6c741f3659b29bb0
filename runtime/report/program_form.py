"""A program as a JSON object."""

from __future__ import annotations

import math

from snnc.compiler.placement import Placement, place
from snnc.compiler.program import Program, Synapse
from snnc.compiler.program.safety import Safety, program_safety
from snnc.compiler.targets import get_target
from snnc.runtime.energy import count_synapses, estimate_energy
from snnc.runtime.report import wording
from snnc.runtime.report.placement_form import placement_form

Form = dict[str, object]


def program_form(program: Program, placement: Placement | None = None) -> Form:
    """What a .net file holds, but for weights and biases, and where it goes on the chip; None: placed here."""
    target = get_target(program.target)
    placement = placement or place(program, target)
    synapses = count_synapses(program)
    safety = program_safety(program, target.membrane_limit, target.input_limit)
    provenance = program.provenance
    return {
        "target": program.target,
        **timing_form(program),
        "input": {"coding": program.coding.kind, "shape": list(program.coding.shape)},
        "layers": [_layer(program, index, count, safety[index]) for index, count in enumerate(synapses)],
        "membrane_limit": target.membrane_limit,
        "resources": resources(program),
        "placement": placement_form(placement),
        "ann": ann_form(program),
        "provenance": {
            "snnc": provenance.snnc,
            "model": provenance.model,
            "calibration": provenance.calibration,
            "calibration_samples": provenance.calibration_samples,
            "options": dict(provenance.options),
        },
        "notes": list(provenance.notes),
    }


def timing_form(program: Program) -> Form:
    """T and lead, the steps that a sample takes in a stream, and those from its first input to its result."""
    return {
        "timesteps": program.timesteps,
        "lead": program.lead,
        "steps_per_sample": program.interval,
        "latency": program.latency,
    }


def resources(program: Program) -> dict[str, int]:
    """What the network is made of: neurons, pairs of connected neurons, stored weights (a kernel counts once)."""
    return {
        "neurons": sum(layer.neurons for layer in program.layers),
        "synapses": sum(count_synapses(program)),
        "weights": sum(synapse.weight.size for layer in program.layers for synapse in layer.synapses),
    }


def ann_form(program: Program) -> Form:
    """Operations and energy of the ANN for one sample."""
    return {
        "macs": sum(layer.macs for layer in program.ann),
        "layers": [{"module": layer.module, "macs": layer.macs} for layer in program.ann],
        "joules": ann_joules(program),
    }


def ann_joules(program: Program) -> dict[str, float]:
    """Energy of the ANN for one sample, by each model that defines it."""
    return {each.model.name: each.ann for each in estimate_energy(program, None) if each.ann is not None}


def _layer(program: Program, index: int, synapses: int, safety: Safety) -> Form:
    layer = program.layers[index]
    membrane = layer.membrane
    form: Form = {
        "name": layer.name,
        "modules": list(layer.modules),
        "shape": list(layer.shape),
        "neurons": layer.neurons,
        "synapses": synapses,
        "connections": [_synapse(each, program.delay(index, each)) for each in layer.synapses],
        "memoryless": layer.memoryless,
        "membrane": {
            "proven": list(membrane.proven),
            "measured": None if membrane.measured is None else list(membrane.measured),
            "samples": membrane.samples,
            "cannot_overflow": safety.proven,
            "margin": None if safety.margin is None or math.isinf(safety.margin) else safety.margin,
            "statement": wording.safety(safety),
        },
        "scale": {"minimum": float(layer.scale.min()), "maximum": float(layer.scale.max())},
    }
    if layer.threshold is not None:
        form["threshold"] = {
            "value": layer.threshold.value,
            "mantissa": layer.threshold.mantissa,
            "exponent": layer.threshold.exponent,
        }
        form["initial_potential"] = layer.initial_potential
    return form


def _synapse(synapse: Synapse, delay: int) -> Form:
    form: Form = {
        "source": synapse.source,
        "kind": synapse.kind,
        "weight_shape": list(synapse.weight.shape),
        "weight_minimum": int(synapse.weight.min()) if synapse.weight.size else 0,
        "weight_maximum": int(synapse.weight.max()) if synapse.weight.size else 0,
        "exponent": synapse.exponent,
        "delay": delay,
    }
    if synapse.kind == "conv":
        form |= {
            "stride": list(synapse.stride),
            "padding": list(synapse.padding),
            "dilation": list(synapse.dilation),
            "groups": synapse.groups,
        }
    return form
