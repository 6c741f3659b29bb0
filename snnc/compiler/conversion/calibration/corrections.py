"""The corrections that there are, by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from snnc.compiler.conversion.calibration.bias import correct_bias
from snnc.compiler.conversion.calibration.layer_data import LayerData
from snnc.compiler.conversion.calibration.potentials import correct_potentials
from snnc.compiler.conversion.calibration.spread import spread_potentials
from snnc.compiler.conversion.calibration.thresholds import correct_thresholds
from snnc.compiler.conversion.calibration.weights import correct_weights
from snnc.compiler.ir import Readout, SpikingLayer

Correction = Callable[[LayerData, SpikingLayer | Readout], SpikingLayer | Readout]

# In the order in which they are applied to a layer: each sees what the ones before have done.
CORRECTIONS: Mapping[str, Correction] = MappingProxyType(
    {
        "weights": correct_weights,
        "thresholds": correct_thresholds,
        "spread": spread_potentials,
        "potentials": correct_potentials,
        "bias": correct_bias,
    }
)
ALL = "all"


def named_corrections(names: str | Iterable[str]) -> tuple[str, ...]:
    """The names of corrections as users give them, one by one.

    Args:
        names: Names, or one text with commas between them; ``all`` stands for every correction there is.

    Returns:
        The names. Those that are unknown are among them.
    """
    given = names.split(",") if isinstance(names, str) else names
    chosen = tuple(filter(None, (each.strip() for each in given)))
    return tuple(CORRECTIONS) if ALL in chosen else chosen
