"""A placement as a table and in words: the cores of each layer, and how full they are."""

from __future__ import annotations

from functools import partial

from snnc.program import NeuronLayer
from snnc.program.placement import RULES, Cut, PlacedLayer, Placement, Rule
from snnc.reporting import wording
from snnc.reporting.table import Cell, Column, Json, Table, column


def placement_table(placement: Placement) -> Table[PlacedLayer]:
    """Return a row for each layer: its cores, how it is cut, and of each limit the most that one of its cores uses."""

    def layer(placed: PlacedLayer) -> NeuronLayer:
        return placement.program.layers[placed.index]

    def cut(placed: PlacedLayer) -> str:
        return "does not fit" if placed.broken else cut_in_words(placed.cut, len(layer(placed).shape) == 3)

    return Table(
        (
            column(lambda placed: layer(placed).name, key="name"),
            column(layer, wording.layer, title="layer", kind="name"),
            column(
                lambda placed: None if placed.broken else placed.cores,
                wording.count,
                title="cores",
                key="cores",
                kind="number",
                wrap=False,
            ),
            column(cut, title="cut into"),
            column(
                lambda placed: {
                    "channels": placed.cut.channels,
                    "rows": placed.cut.rows,
                    "columns": placed.cut.columns,
                },
                key="cut",
            ),
            *(_limit_column(placement, rule) for rule in RULES),
            column(lambda placed: {rule.name: _used(rule, placed) for rule in RULES}, key="used_at_most"),
            column(lambda placed: int(placed.demand.unshared_memory.sum()), key="unshared_memory"),
            column(lambda placed: int(placed.demand.memory.sum()), key="shared_memory"),
            column(lambda placed: placed.broken.name if placed.broken else None, key="broken"),
        ),
        placement.layers,
        legend=placement_legend(placement),
    )


def _limit_column(placement: Placement, rule: Rule) -> Column[PlacedLayer]:
    """Return the most of a limit that a core uses; the page has the share of what there is below it."""
    limit = rule.available(placement.target)

    def shown(placed: PlacedLayer) -> str:
        used = f"{_used(rule, placed):,}"
        if limit is None:
            return used
        share = "too many" if placed.broken is rule else f"{100 * rule.load(placed.demand, placement.target):.0f} %"
        return f"{used} ({share})"

    def share(placed: PlacedLayer) -> str:
        return "" if limit is None else f"{100 * _used(rule, placed) / limit:.0f} % of {limit:,}"

    return Column(
        value=partial(_used, rule),
        text=shown,
        cell=lambda placed: Cell(wording.count(_used(rule, placed)), "number", share(placed)),
        screen=rule.name,
        page=rule.name,
        kind="number",
    )


def _used(rule: Rule, placed: PlacedLayer) -> int:
    return int(rule.used(placed.demand).max())


def placement_json(placement: Placement) -> Json:
    """Return cores and chips, and for each layer how it is cut and the most that one of its cores uses."""
    return {
        "cores": placement.cores,
        "chips": placement.chips,
        "cores_per_chip": placement.target.cores_per_chip,
        "control": {"neurons": placement.control_neurons, "cores": placement.control_cores},
        "available_per_core": {rule.name: rule.available(placement.target) for rule in RULES},
        "layers": placement_table(placement).records(),
    }


def cut_in_words(cut: Cut, image: bool) -> str:
    """Return ``2 × rows, 3 × channels``; ``whole`` where there is one block."""
    if cut.parts == 1:
        return "whole"
    counts = (("rows", cut.rows), ("columns", cut.columns), ("channels" if image else "features", cut.channels))
    return ", ".join(f"{count} × {name}" for name, count in counts if count > 1)


def placement_sentence(placement: Placement) -> str:
    """Return ``28 cores of 1 chip (128 each), 1 of them for 46 clock and bias neurons``."""
    chips = f"{placement.chips:,} chip{'s' * (placement.chips != 1)}"
    text = f"{placement.cores:,} cores of {chips} ({placement.target.cores_per_chip:,} each)"
    if placement.control_cores:
        what = placement.program.wording.control
        text += f", {placement.control_cores:,} of them for {placement.control_neurons:,} {what}"
    missing = sum(placed.broken is not None for placed in placement.layers)
    return f"{text}; {missing} layer{'s' * (missing != 1)} cannot be placed" if missing else text


def placement_legend(placement: Placement) -> str:
    """Return what the table's figures mean, and which limits are not published."""
    unknown = [rule.name for rule in RULES if rule.available(placement.target) is None]
    text = "the most that one core of the layer uses, and the share of what there is; an estimate (docs/chip-fit.md)"
    return f"{text}; limits of {' and '.join(unknown)} are not published" if unknown else text
