"""Where energy goes, layer by layer, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snnc.reporting.layer_energy import LayerEnergy
from snnc.thresholds.plot import ACTIVATIONS, INK, STEPS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches of a layer's pair of bars, and of what is around all.
_LAYER, _AROUND = 0.3, 1.0


def energy_figure(layers: Sequence[LayerEnergy], model: str) -> Figure:
    """Energy of SNN and ANN for one sample, on one logarithmic axis.

    Args:
        layers: At least one.
        model: Name of the energy model, of those that define the energy of both.
    """
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    height = _LAYER * len(layers) + _AROUND
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.3, 0.55 / height, 0.66, 1 - _AROUND / height))
    style(axes)
    places = range(len(layers))
    for values, color, shift, name in (
        ([each.snn[model] for each in layers], STEPS, -0.2, "SNN"),
        ([each.ann[model] or 0.0 for each in layers], ACTIVATIONS, 0.2, "ANN"),
    ):
        axes.barh([place + shift for place in places], values, 0.36, color=color, label=name)
    axes.set_yticks(list(places), [each.name for each in layers])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter("J"))
    axes.set_xlabel(f"energy per sample by {model}")
    figure.legend(
        loc="upper left", bbox_to_anchor=(0.29, 1.0), ncols=2, frameon=False, fontsize=8.5, labelcolor=INK,
        handlelength=1.2,
    )  # fmt: skip
    return figure
