"""A program as a JSON object."""

from __future__ import annotations

import math

from snnc.compiler.placement import Placement, place
from snnc.compiler.program import CompiledNetwork, NeuronLayer, SigmaDeltaLayer, SigmaDeltaProgram, Synapse
from snnc.compiler.program.safety import Safety, program_safety
from snnc.compiler.program.sigma_delta import STATE_LIMIT
from snnc.compiler.targets import get_target
from snnc.runtime.energy import count_synapses, estimate_energy
from snnc.runtime.report import wording
from snnc.runtime.report.placement_form import placement_form
from snnc.runtime.report.sigma_delta_table import cannot_overflow, sigma_delta_form

Form = dict[str, object]


def program_form(program: CompiledNetwork, placement: Placement | None = None) -> Form:
    """What a .net file holds, but for weights and biases, and where it goes on the chip; None: placed here."""
    target = get_target(program.target)
    placement = placement or place(program, target)
    synapses = count_synapses(program)
    is_sigma_delta = isinstance(program, SigmaDeltaProgram)
    limit = STATE_LIMIT if is_sigma_delta else target.membrane_limit
    safety: tuple[Safety | None, ...] = (None,) * len(program.layers)
    if not isinstance(program, SigmaDeltaProgram):
        safety = program_safety(program, limit, target.input_limit)
    provenance = program.provenance
    return {
        "target": program.target,
        "neuron": "sdnn" if is_sigma_delta else "if",
        **timing_form(program),
        "input": {"coding": program.coding.kind, "shape": list(program.coding.shape)},
        "layers": [_layer(program, index, count, safety[index]) for index, count in enumerate(synapses)],
        "membrane_limit": limit,
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


def timing_form(program: CompiledNetwork) -> Form:
    """T and lead, the steps that a sample takes in a stream, and those from its first input to its result."""
    return {
        "timesteps": program.timesteps,
        "lead": program.lead,
        "steps_per_sample": program.interval,
        "latency": program.latency,
    }


def resources(program: CompiledNetwork) -> dict[str, int]:
    """What the network is made of: neurons, pairs of connected neurons, stored weights (a kernel counts once)."""
    return {
        "neurons": sum(layer.neurons for layer in program.layers),
        "synapses": sum(count_synapses(program)),
        "weights": sum(synapse.weight.size for layer in program.layers for synapse in layer.synapses),
    }


def ann_form(program: CompiledNetwork) -> Form:
    """Operations and energy of the ANN for one sample."""
    return {
        "macs": sum(layer.macs for layer in program.ann),
        "layers": [{"module": layer.module, "macs": layer.macs} for layer in program.ann],
        "joules": ann_joules(program),
    }


def ann_joules(program: CompiledNetwork) -> dict[str, float]:
    """Energy of the ANN for one sample, by each model that defines it."""
    return {each.model.name: each.ann for each in estimate_energy(program, None) if each.ann is not None}


def _safety(layer: NeuronLayer, safety: Safety | None) -> Form:
    if safety is None:
        return {"cannot_overflow": isinstance(layer, SigmaDeltaLayer) and cannot_overflow(layer)}
    return {
        "cannot_overflow": safety.proven,
        "margin": None if safety.margin is None or math.isinf(safety.margin) else safety.margin,
        "statement": wording.safety(safety),
    }


def _layer(program: CompiledNetwork, index: int, synapses: int, safety: Safety | None) -> Form:
    layer = program.layers[index]
    membrane = layer.membrane
    form: Form = {
        "name": layer.name,
        "modules": list(layer.modules),
        "shape": list(layer.shape),
        "neurons": layer.neurons,
        "synapses": synapses,
        "connections": [_synapse(each, program.delay(index, each)) for each in layer.synapses],
        "membrane": {
            "proven": list(membrane.proven),
            "measured": None if membrane.measured is None else list(membrane.measured),
            "samples": membrane.samples,
            **_safety(layer, safety),
        },
        "scale": {"minimum": float(layer.scale.min()), "maximum": float(layer.scale.max())},
    }
    if isinstance(layer, SigmaDeltaLayer):
        return {**form, **sigma_delta_form(layer)}
    form["memoryless"] = layer.memoryless
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
