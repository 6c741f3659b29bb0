"""A placement as a table."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.program import SigmaDeltaProgram
from snnc.program.placement import RULES, Cut, PlacedLayer, Placement, Rule
from snnc.reporting import wording
from snnc.reporting.table import plain_table

Form = dict[str, object]


def placement_form(placement: Placement) -> Form:
    """Cores and chips, and for each layer how it is cut and the most that one of its cores uses."""
    return {
        "cores": placement.cores,
        "chips": placement.chips,
        "cores_per_chip": placement.target.cores_per_chip,
        "control": {"neurons": placement.control_neurons, "cores": placement.control_cores},
        "available_per_core": {rule.name: rule.available(placement.target) for rule in RULES},
        "layers": [_layer(placement, placed) for placed in placement.layers],
    }


def _layer(placement: Placement, placed: PlacedLayer) -> Form:
    return {
        "name": placement.program.layers[placed.index].name,
        "cores": None if placed.broken else placed.cores,
        "cut": {"channels": placed.cut.channels, "rows": placed.cut.rows, "columns": placed.cut.columns},
        "used_at_most": {rule.name: int(rule.used(placed.demand).max()) for rule in RULES},
        "unshared_memory": int(placed.demand.unshared_memory.sum()),
        "shared_memory": int(placed.demand.memory.sum()),
        "broken": placed.broken.name if placed.broken else None,
    }


def placement_table(placement: Placement) -> RenderableType:
    """One row for each layer: its cores, how it is cut, and of each limit the most that one of its cores uses."""
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    table.add_column("cores", justify="right", no_wrap=True)
    table.add_column("cut into")
    for rule in RULES:
        table.add_column(rule.name, justify="right")
    for placed in placement.layers:
        layer = placement.program.layers[placed.index]
        fits = "-" if placed.broken else f"{placed.cores:,}"
        table.add_row(
            wording.layer(layer),
            fits,
            "does not fit" if placed.broken else cut_in_words(placed.cut, len(layer.shape) == 3),
            *(_used(placement, placed, rule) for rule in RULES),
        )
    return Group("", table, Text(placement_legend(placement), style="dim"))


def cut_in_words(cut: Cut, image: bool) -> str:
    """``2 × rows, 3 × channels``; ``whole`` where there is one block."""
    if cut.parts == 1:
        return "whole"
    counts = (("rows", cut.rows), ("columns", cut.columns), ("channels" if image else "features", cut.channels))
    return ", ".join(f"{count} × {name}" for name, count in counts if count > 1)


def placement_sentence(placement: Placement) -> str:
    """``28 cores of 1 chip (128 each), 1 of them for 46 clock and bias neurons``."""
    chips = f"{placement.chips:,} chip{'s' * (placement.chips != 1)}"
    text = f"{placement.cores:,} cores of {chips} ({placement.target.cores_per_chip:,} each)"
    if placement.control_cores:
        what = control_neurons(placement)
        text += f", {placement.control_cores:,} of them for {placement.control_neurons:,} {what}"
    missing = sum(placed.broken is not None for placed in placement.layers)
    return f"{text}; {missing} layer{'s' * (missing != 1)} cannot be placed" if missing else text


def placement_legend(placement: Placement) -> str:
    """What the table's figures mean, and which limits are not published."""
    unknown = [rule.name for rule in RULES if rule.available(placement.target) is None]
    text = "the most that one core of the layer uses, and the share of what there is; an estimate (docs/chip-fit.md)"
    return f"{text}; limits of {' and '.join(unknown)} are not published" if unknown else text


def control_neurons(placement: Placement) -> str:
    """What stands on the cores that hold no layer."""
    return "input neurons" if isinstance(placement.program, SigmaDeltaProgram) else "clock and bias neurons"


def _used(placement: Placement, placed: PlacedLayer, rule: Rule) -> str:
    used = int(rule.used(placed.demand).max())
    if rule.available(placement.target) is None:
        return f"{used:,}"
    share = "too many" if placed.broken is rule else f"{100 * rule.load(placed.demand, placement.target):.0f} %"
    return f"{used:,} ({share})"
