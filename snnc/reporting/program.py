"""A program as a table."""

from __future__ import annotations

import math
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.program import CompiledNetwork, Layer, NeuronLayer, Program, SigmaDeltaLayer, SigmaDeltaProgram, Synapse
from snnc.program.bounds import Safety, program_safety
from snnc.program.placement import Placement, place
from snnc.program.sigma_delta import ACTIVATION_LIMIT, STATE_LIMIT
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.placement import placement_form
from snnc.reporting.table import plain_table
from snnc.runtime.energy import count_synapses, estimate_energy

TITLES = ("delta threshold", "unit", "measured", "proven")
LEGEND = (
    "delta threshold: the change of sigma below which nothing is sent; unit: the activation that one unit of a message "
    "stands for (readout: the logit of one unit of sigma)"
)


def sigma_delta_table(program: SigmaDeltaProgram, *, absolute: bool) -> RenderableType:
    """One row for each layer: neurons, synapses, delta threshold, unit and the range of sigma.

    Args:
        program: The program.
        absolute: Give the ranges in units of sigma, and not as shares of the limits.
    """
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    table.add_column("neurons", no_wrap=True)
    table.add_column("synapses", min_width=8)
    for title in TITLES:
        table.add_column(title, justify="right")
    for index, layer in enumerate(program.layers):
        table.add_row(
            wording.layer(layer),
            wording.shape(layer.shape),
            wording.synapses(program, index),
            *layer_cells(layer, absolute=absolute),
        )
    unit = f"in units, limits -{STATE_LIMIT:,} and {ACTIVATION_LIMIT:,}" if absolute else "in % of its limits"
    legend = f"{LEGEND}; range of sigma plus bias {unit}: measured on the calibration data, proven for any input"
    return Group("", table, Text(legend, style="dim"))


def layer_cells(layer: SigmaDeltaLayer, *, absolute: bool) -> tuple[str, ...]:
    """What a table says of a layer, under :data:`TITLES`."""
    unit = layer.scale[:-1] if layer.has_constant else layer.scale
    membrane = layer.membrane
    ranges = (
        wording.span(each) if absolute else "-" if each is None else f"{100 * _used(layer, each):.0f} %"
        for each in (membrane.measured, membrane.proven)
    )
    return ("-" if layer.delta_threshold is None else f"{layer.held_back:,}", wording.scales(unit), *ranges)


def cannot_overflow(layer: SigmaDeltaLayer) -> bool:
    """Whether no input takes sigma, or a message, out of its range."""
    return _used(layer, layer.membrane.proven) < 1


def sigma_delta_form(layer: SigmaDeltaLayer) -> dict[str, object]:
    """What a JSON object says of a layer's neurons."""
    return {
        "delta_threshold": layer.delta_threshold,
        "constant_channels": int(layer.has_constant),
        "bias": {"minimum": int(layer.bias.min()), "maximum": int(layer.bias.max())},
    }


def _used(layer: SigmaDeltaLayer, limits: tuple[int, int]) -> float:
    """The share of its range that sigma uses; messages of 16 bits limit activations, not the readout."""
    highest = STATE_LIMIT if layer.delta_threshold is None else ACTIVATION_LIMIT
    return max(-limits[0] / STATE_LIMIT, limits[1] / highest)


Form = dict[str, object]


def program_form(program: CompiledNetwork, placement: Placement | None = None) -> Form:
    """What a .net file holds, but for weights and biases, and where it goes on the chip; None: placed here."""
    target = get_target(program.target)
    placement = placement or place(program, target)
    synapses = count_synapses(program)
    is_sigma_delta = isinstance(program, SigmaDeltaProgram)
    limit = STATE_LIMIT if is_sigma_delta else target.membrane_limit
    safety: tuple[Safety | None, ...] = (None,) * len(program.layers)
    if isinstance(program, Program):
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
    assert isinstance(layer, Layer)
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


def program_table(program: CompiledNetwork, *, absolute: bool = False) -> RenderableType:
    """One row for each layer: neurons, synapses, threshold, initial potential, scale and the membrane's range.

    Args:
        program: The program.
        absolute: Give the ranges of membrane potentials in weight units, and not as shares of the limit.
    """
    if isinstance(program, SigmaDeltaProgram):
        return sigma_delta_table(program, absolute=absolute)
    assert isinstance(program, Program)
    target = get_target(program.target)
    limit = target.membrane_limit
    safety = program_safety(program, limit, target.input_limit)
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    table.add_column("neurons", no_wrap=True)
    table.add_column("synapses", min_width=8)
    for title in ("θ", "v0", "Vth", "measured", "proven", "safe"):
        # Spans wrap at their blanks where the terminal is narrow.
        table.add_column(title, justify="right", no_wrap=title in ("θ", "v0"))
    write = wording.span if absolute else partial(_of_limit, limit)
    for index, layer in enumerate(program.layers):
        table.add_row(
            wording.layer(layer),
            wording.shape(layer.shape),
            wording.synapses(program, index),
            f"{layer.threshold.value:,}" if layer.threshold else "-",
            f"{layer.initial_potential:,}" if layer.threshold else "-",
            wording.scales(layer.scale) if layer.threshold else "-",
            write(layer.membrane.measured),
            write(layer.membrane.proven),
            _known(safety[index]),
        )
    unit = f"in weight units, limit ±{limit:,}" if absolute else f"in % of the limit of {limit:,} weight units"
    legend = (
        "θ threshold and v0 initial potential, in weight units; Vth activation that a spike in every step stands for; "
        f"range of the membrane potential {unit}: measured on the calibration data, proven for any input; "
        "safe: proven, or how many times as far as on the calibration data the potential can go"
    )
    return Group("", table, Text(legend, style="dim"), wording.overall_safety(safety))


def _known(safety: Safety) -> str:
    if safety.proven:
        return "proven"
    return "-" if safety.margin is None else f"× {wording.margin(safety.margin)}"


def _of_limit(limit: int, limits: tuple[int, int] | None) -> str:
    """How much of the range a membrane potential uses."""
    return "-" if limits is None else f"{100 * max(-limits[0], limits[1]) / limit:.0f} %"
