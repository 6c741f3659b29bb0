"""Where energy goes, layer by layer, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from snnc.reporting.layer_energy import LayerEnergy
from snnc.thresholds.plot import ACTIVATIONS, GREY, INK, STEPS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches of a layer's line, and of what is around all.
_LAYER, _AROUND = 0.21, 1.0


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
    snn, ann = [each.snn[model] for each in layers], [each.ann[model] or 0.0 for each in layers]
    places = range(len(layers))
    axes.hlines(places, list(map(min, snn, ann)), list(map(max, snn, ann)), color=GREY, linewidth=0.8, zorder=1)
    # Points, not bars: a logarithmic axis has no zero for bars to begin at. What takes nothing has no point.
    for values, color, name in ((snn, STEPS, "SNN"), (ann, ACTIVATIONS, "ANN")):
        axes.plot(
            [value or math.nan for value in values],
            places,
            linestyle="",
            marker="o",
            markersize=6,
            color=color,
            label=name,
            # Those of the first and the last layer lie on the edges.
            clip_on=False,
            zorder=3,
        )
    axes.set_yticks(list(places), [each.name for each in layers])
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.margins(x=0.05)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter("J"))
    axes.set_xlabel(f"energy per sample by {model}")
    figure.legend(
        loc="upper left", bbox_to_anchor=(0.29, 1.0), ncols=2, frameon=False, fontsize=8.5, labelcolor=INK,
        handlelength=1.2,
    )  # fmt: skip
    return figure
