"""How far the layers of a sigma-delta network are from the ANN's, and can be, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from snnc.thresholds.plot import ACTIVATIONS, INK, STEPS, style
from snnc.validation import LayerComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches of a layer's line, and of what is around all.
_LAYER, _AROUND = 0.28, 1.0


def bounds_figure(layers: Sequence[LayerComparison]) -> Figure:
    """Mean error, largest error and bound of each layer, on one logarithmic axis.

    Args:
        layers: At least one; what has no bound has no point for it.
    """
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    height = _LAYER * len(layers) + _AROUND
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.3, 0.55 / height, 0.66, 1 - _AROUND / height))
    style(axes)
    places = range(len(layers))
    for values, color, marker, name in (
        ([each.mean_error for each in layers], ACTIVATIONS, "o", "mean error"),
        ([each.largest_error for each in layers], STEPS, "o", "largest error"),
        ([each.bound or 0.0 for each in layers], INK, "|", "bound"),
    ):
        # A logarithmic axis has no zero: an error of nothing has no point.
        points = [value or math.nan for value in values]
        axes.plot(points, places, linestyle="", marker=marker, markersize=6, color=color, label=name)
    axes.set_yticks(list(places), [each.name for each in layers])
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.margins(x=0.05)
    axes.set_xscale("log")
    axes.set_xlabel("distance from the ANN, in its units")
    figure.legend(
        loc="upper left", bbox_to_anchor=(0.29, 1.0), ncols=3, frameon=False, fontsize=8.5, labelcolor=INK,
        handlelength=1.2,
    )  # fmt: skip
    return figure
