"""The tables of a report that sigma-delta networks have in place of others."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.program import CompiledNetwork, Layer, Program, SigmaDeltaProgram
from snnc.program.bounds import program_safety
from snnc.program.placement import RULES, Placement
from snnc.program.targets import Target, get_target
from snnc.reporting import wording
from snnc.reporting.cells import Cell, Table, layer_name, modules, number, percent, table
from snnc.reporting.conversion.collect import Report
from snnc.reporting.conversion.layers import LayerEnergy
from snnc.reporting.conversion.outcomes import PassOutcome
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.placement import cut_in_words
from snnc.reporting.program import TITLES, layer_cells
from snnc.reporting.wording import membrane_bits, weight_bits
from snnc.runtime.energy import ENERGY_MODELS


def passes_table(report: Report | SigmaDeltaReport) -> Table:
    """The network after each pass."""
    rows = []
    before: float | None = None
    for each in report.passes:
        value = each.agreement if each.accuracy is None else each.accuracy
        change = "" if before is None or value == before else f"{100 * (value - before):+.1f}"
        rows.append(
            [
                Cell(each.title, small=_figures(each) if each.changed else "nothing to do"),
                Cell(each.meaning),
                *([percent(each.accuracy)] if report.labelled else []),
                percent(each.agreement),
                number(change),
                Cell("", bars=((value, "share"),)),
                *([] if report.replayed else [number("" if each.seconds is None else f"{each.seconds:.2f}")]),
            ]
        )
        before = value
    titles = ["pass", "the network is then", *(["accuracy, %"] if report.labelled else []), "as the ANN, %"]
    return table([*titles, "points", "", *([] if report.replayed else ["seconds"])], rows)


def _figures(outcome: PassOutcome) -> str:
    """What a pass counted, but for zeros."""
    return wording.figures({name: value for name, value in (outcome.figures or {}).items() if value})


def steps_table(report: Report) -> Table:
    """The network after fewer steps."""
    rows = [
        [
            number(f"{each.steps:,}"),
            *([percent(each.accuracy)] if report.labelled else []),
            percent(each.agreement),
            number(wording.whole(each.spikes)),
            number(wording.whole(each.operations)),
        ]
        for each in report.steps
    ]
    titles = ["steps", *(["accuracy, %"] if report.labelled else []), "as the ANN, %"]
    return table([*titles, "spikes", "synaptic operations"], rows)


def layers_table(program: Program) -> Table:
    """What the layers are made of."""
    target = get_target(program.target)
    safety = program_safety(program, target.membrane_limit, target.input_limit)
    rows = []
    for index, layer in enumerate(program.layers):
        rows.append(
            [
                layer_name(layer, modules(layer)),
                Cell(wording.shape(layer.shape)),
                number(f"{layer.neurons:,}"),
                Cell(wording.synapses(program, index), small=f"weights of {weight_bits(layer)} bits"),
                number(f"{layer.threshold.value:,}" if layer.threshold else "-"),
                number(f"{layer.initial_potential:,}" if layer.threshold else "-"),
                number(wording.scales(layer.scale) if layer.threshold else "-"),
                number(wording.span(layer.membrane.measured), _bits(layer, target)),
                number(wording.span(layer.membrane.proven)),
                Cell(wording.safety(safety[index])),
            ]
        )
    return table(
        ["layer", "shape", "neurons", "synapses", "θ", "v0", "Vth", "potential measured", "potential proven", "safe"],
        rows,
    )


def _bits(layer: Layer, target: Target) -> str:
    limits = layer.membrane.measured
    return "" if limits is None else f"{membrane_bits(limits, target)} of {target.state_bits} bits"


def errors_table(report: Report) -> Table:
    """The layers' rates beside the ANN's activations."""
    largest = max((each.errors.clipped + each.errors.rounded + each.errors.received
                   for each in report.layers if each.errors), default=0.0) or 1.0  # fmt: skip
    rows = []
    for each in report.layers:
        errors, comparison = each.errors, each.comparison
        parts = (errors.clipped, errors.rounded, errors.received) if errors else ()
        correlation = comparison.correlation if comparison else None
        rows.append(
            [
                layer_name(each.layer),
                number("-" if correlation is None else f"{correlation:.4f}"),
                percent(errors.total if errors else None),
                *(percent(part) for part in parts or (None, None, None)),
                Cell("", bars=tuple(zip((part / largest for part in parts), ("clipped", "rounded", "received"),
                                        strict=False))),
                number(f"{100 * errors.shift:+.1f}" if errors else "-"),
                number(f"{float(each.firing.mean()):.3f}"),
                percent(each.dead),
                percent(errors.silent if errors else None),
                percent(each.saturated),
                percent(errors.saturated if errors else None),
            ]
        )  # fmt: skip
    titles = ["layer", "correlation", "error", "clipped", "rounded", "received", "", "shift", "rate", "dead", "silent"]
    return table([*titles, "always firing", "saturated"], rows)


def energy_table(layers: Sequence[LayerEnergy], program: CompiledNetwork) -> Table:
    """What is sent, operations and energy of SNN and ANN, layer by layer."""
    titles = ["layer", wording.sent(program), "synaptic operations", "ANN multiply-accumulates"]
    columns = [(model.name, model.joules_per_flop is not None) for model in ENERGY_MODELS]
    for name, has_ann in columns:
        titles += [f"SNN, {name}", *([f"ANN, {name}"] if has_ann else [])]

    def row(name: str, some: Sequence[LayerEnergy]) -> list[Cell]:
        spikes = [each.spikes for each in some if each.spikes is not None]
        cells = [
            Cell(name, "name"),
            number(wording.whole(sum(spikes)) if spikes else "-"),
            number(wording.whole(sum(each.operations for each in some))),
            number(wording.whole(sum(each.macs for each in some))),
        ]
        for model, has_ann in columns:
            cells.append(number(wording.joules(sum(each.snn[model] for each in some))))
            if has_ann:
                cells.append(number(wording.joules(sum(each.ann[model] or 0.0 for each in some))))
        return cells

    return table(titles, [row(each.name, [each]) for each in layers], row("all layers", layers))


def placement_cells(placement: Placement) -> Table:
    """The layers' cores, and the most that one core of each uses."""
    rows = []
    for placed in placement.layers:
        layer = placement.program.layers[placed.index]
        cells = [
            layer_name(layer),
            number("-" if placed.broken else f"{placed.cores:,}"),
            Cell("does not fit" if placed.broken else cut_in_words(placed.cut, len(layer.shape) == 3)),
        ]
        for rule in RULES:
            used, limit = int(rule.used(placed.demand).max()), rule.available(placement.target)
            share = "" if limit is None else f"{100 * used / limit:.0f} % of {limit:,}"
            cells.append(number(f"{used:,}", share))
        rows.append(cells)
    return table(["layer", "cores", "cut into", *(rule.name for rule in RULES)], rows)


def provenance_table(program: CompiledNetwork, versions: dict[str, str]) -> Table:
    """Where the network came from."""
    provenance = program.provenance
    entries = {
        "compiled by": f"snnc {provenance.snnc}",
        "reported with": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "model (SHA-256)": provenance.model,
        "calibration data (SHA-256)": provenance.calibration,
        "calibration samples": f"{provenance.calibration_samples:,}",
        "options": ", ".join(f"{name} {value or 'none'}" for name, value in provenance.options.items()),
    }
    return table(["", ""], [[Cell(name), Cell(value)] for name, value in entries.items()])


def sigma_delta_layers_table(program: SigmaDeltaProgram) -> Table:
    """What the layers are made of."""
    rows = [
        [
            layer_name(layer, modules(layer)),
            Cell(wording.shape(layer.shape)),
            number(f"{layer.neurons:,}"),
            Cell(wording.synapses(program, index)),
            *map(number, layer_cells(layer, absolute=True)),
        ]
        for index, layer in enumerate(program.layers)
    ]
    return table(["layer", "shape", "neurons", "synapses", *TITLES], rows)


def bounds_table(report: SigmaDeltaReport) -> Table:
    """The layers' values beside the ANN's activations, with how far rounding can take them."""
    program = report.program
    messages = {
        layer.name: sent / report.samples / layer.neurons
        for layer, sent in zip(program.spiking_layers, report.counts.spikes, strict=True)
    }
    named = {layer.name: layer for layer in program.layers}
    rows = [
        [
            layer_name(named[each.name]),
            number("-" if each.correlation is None else f"{each.correlation:.6f}"),
            number(f"{each.mean_error:.4g}"),
            number(f"{each.largest_error:.4g}"),
            number("-" if each.bound is None else f"{each.bound:.4g}"),
            number("-" if each.bound is None else f"{each.out_of_bound:,}"),
            number(f"{messages[each.name]:.3f}" if each.name in messages else "-"),
        ]
        for each in report.layers
    ]
    titles = ["layer", "correlation", "mean error", "largest error", "bound", "out of bound", "messages per neuron"]
    return table(titles, rows)
