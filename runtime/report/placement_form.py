"""A placement as a JSON object."""

from __future__ import annotations

from snnc.compiler.placement import RULES, PlacedLayer, Placement

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
