"""What a program holds beyond what NIR's nodes have fields for, as metadata: texts in JSON, and arrays.

A node of neurons has in plain words, for other readers, how it resets, its threshold and its initial potential.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from snnc.program.layer import Layer, Synapse
from snnc.program.nir.layout import DT, KEY, SUBTRACT, VERSION, Form
from snnc.program.program import Program
from snnc.program.provenance import provenance_form

__all__ = ["layer_form", "program_form", "synapse_form"]


def program_form(program: Program, form: Form) -> dict[str, Any]:
    """The graph's metadata."""
    coding = program.coding
    described = {
        "format_version": VERSION,
        "form": form,
        "target": program.target,
        "timesteps": program.timesteps,
        "layers": len(program.layers),
        "coding": {"kind": coding.kind, "divisor": coding.divisor, "highest": coding.highest},
        "ann": [[each.module, each.macs] for each in program.ann],
        "provenance": provenance_form(program.provenance),
    }
    arrays = {name: np.asarray(getattr(coding, name)) for name in ("unit", "offset", "scale", "shift")}
    return {KEY: _json(described), "dt": np.float64(DT), "timesteps": np.int64(program.timesteps), **arrays}


def layer_form(layer: Layer) -> dict[str, Any]:
    """The metadata of a population's node."""
    threshold, gate = layer.threshold, layer.gate
    described = {
        "name": layer.name,
        "modules": list(layer.modules),
        "shape": list(layer.shape),
        "bias_shape": list(layer.bias.shape),
        "threshold": None if threshold is None else [threshold.mantissa, threshold.exponent],
        "initial_potential": layer.initial_potential,
        "gate": None if gate is None else [gate.pulse.mantissa, gate.pulse.exponent, gate.count],
        "membrane_proven": list(layer.membrane.proven),
        "membrane_measured": None if layer.membrane.measured is None else list(layer.membrane.measured),
        "membrane_samples": layer.membrane.samples,
        "memoryless": layer.memoryless,
        "synapses": len(layer.synapses),
    }
    plain = {}
    if threshold is not None and not layer.memoryless:
        plain = {"reset": SUBTRACT, "threshold": threshold.value, "initial_potential": layer.initial_potential}
    return {KEY: _json(described), "scale": np.asarray(layer.scale), **plain}


def synapse_form(synapse: Synapse) -> dict[str, Any]:
    """The metadata of a synapse's node."""
    described = {
        "source": synapse.source,
        "kind": synapse.kind,
        "groups": synapse.groups,
        "exponent": synapse.exponent,
        "hold": synapse.hold,
    }
    entries = {} if synapse.entries is None else asdict(synapse.entries)
    return {KEY: _json(described), **entries}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
