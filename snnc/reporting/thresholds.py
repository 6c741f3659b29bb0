"""Thresholds as a table and as a picture: sorted activations with the neuron's steps, and the error over Vth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snnc.analysis.thresholds.layer import LayerThresholds
from snnc.common.arrays import FloatArray
from snnc.common.plotting import ACTIVATIONS, GREY, INK, STEPS, check_picture, save_picture, style
from snnc.reporting import wording
from snnc.reporting.table import Table, column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def thresholds_table(layers: Sequence[LayerThresholds]) -> Table[LayerThresholds]:
    """Return a row for each layer; Vth, v0, activations and errors in the ANN's units."""
    norm, error, relative = ("mean", "error", "of mean") if layers[0].objective == 1 else ("rms", "rms error", "of rms")
    short = wording.significant(3)
    return Table(
        (
            column(lambda layer: layer.name, title="layer", key="name", kind="name"),
            column(lambda layer: layer.modules, key="modules"),
            column(lambda layer: len(layer.threshold), wording.count, title="channels", kind="number"),
            column(lambda layer: layer.threshold, wording.scales, title="Vth", key="threshold", kind="number"),
            column(
                lambda layer: np.round(layer.potential / layer.threshold, 3),
                wording.scales,
                title="v0 / Vth",
                kind="number",
            ),
            column(lambda layer: layer.potential, key="initial_potential"),
            column(lambda layer: layer.total, key="activations"),
            column(lambda layer: layer.positive, key="positive_activations"),
            column(
                lambda layer: layer.largest, short, title="largest activation", key="largest_activation", kind="number"
            ),
            column(lambda layer: layer.positive / layer.total, wording.share, title="positive", kind="number"),
            column(lambda layer: layer.mean, key="mean_positive_activation"),
            column(lambda layer: layer.objective, key="objective"),
            column(lambda layer: layer.norm, short, title=norm, kind="number"),
            column(lambda layer: layer.error, short, title=error, key="error_per_positive_activation", kind="number"),
            column(
                lambda layer: layer.relative_error, wording.share, title=relative, key="relative_error", kind="number"
            ),
        ),
        layers,
    )


# Inches of one layer's pair of panels, and of the legend above all.
_WIDTH, _HEIGHT, _LEGEND = 6.6, 2.35, 0.75
# The error is drawn from this share of the chosen threshold on.
_LOWEST_FACTOR = 0.2
_CANDIDATES = 240
# Sorted activations are thinned to so many points.
_POINTS = 2000
# What is larger than so many thresholds is left above the panel, and told.
_TALLEST = 2.0


def plot_thresholds(layers: Sequence[LayerThresholds], path: str | Path, *, title: str) -> None:
    """Draw one pair of panels for each layer, as the paper's figures 1B and 5 do for one.

    Left: the positive activations in ascending order, and what the neuron makes of each (its steps); what lies between
    is the error. Where thresholds differ from channel to channel, activations are given in thresholds of their own
    channel. Right: the error over the threshold, with the one that was chosen; thresholds per channel are varied all
    by one factor. It is the error that the thresholds were chosen for: the mean, or the root of the mean square.

    Args:
        layers: At least one.
        path: The picture to write; its suffix says the format: .pdf, .png or .svg.
        title: What stands above all.

    Raises:
        OutputError: The suffix is another one, or the file cannot be written.
    """
    destination = check_picture(path)
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(len(layers), 1 if len(layers) <= 3 else 2 if len(layers) <= 20 else 3)
    rows = math.ceil(len(layers) / columns)
    height = _HEIGHT * rows + _LEGEND
    below_legend = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - _LEGEND / height), w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(_WIDTH * columns, height), layout=below_legend)
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1.25, 1] * columns)
    for index, axes in enumerate(grid.reshape(-1, 2)):
        if index >= len(layers):
            for each in axes:
                each.set_axis_off()
            continue
        style(*axes)
        _title(axes[0], layers[index])
        draw_activations(axes[0], layers[index])
        _draw_errors(axes[1], layers[index])
        last = index + columns >= len(layers)
        axes[0].set_xlabel("rank among the positive activations (%)" if last else "")
        if last or not all(layer.uniform == layers[0].uniform for layer in layers):
            axes[1].set_xlabel(_threshold_label(layers[index]))
    figure.align_ylabels()
    _legend(figure, layers, title)
    save_picture(figure, destination)


def _threshold_label(layer: LayerThresholds) -> str:
    return "threshold Vth (activation)" if layer.uniform else "threshold / chosen threshold"


def _title(axes: Axes, layer: LayerThresholds) -> None:
    axes.set_title(f"layer {layer.name}", loc="left", fontsize=10, fontweight="bold", color=INK)
    count = len(layer.threshold)
    axes.set_title(f"{count} channel{'s' * (count != 1)}", loc="right", fontsize=8, color=GREY)


def draw_activations(axes: Axes, layer: LayerThresholds) -> None:
    """Draw the positive activations of a layer in ascending order, and what its neurons make of each."""
    axes.set_ylabel("activation" if layer.uniform else "activation / Vth")
    if not len(layer.values):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no positive activation", transform=axes.transAxes, ha="center", color=GREY, fontsize=9)
        return
    unit = float(layer.threshold[0]) if layer.uniform else 1.0
    values, rates = layer.shares * unit, layer.rates / layer.threshold[layer.channels] * unit
    thin = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
    ranks = 100 * (thin + 1) / len(values)
    values, rates = values[thin], rates[thin]
    axes.fill_between(ranks, values, rates, color=STEPS, alpha=0.25, linewidth=0)
    axes.axhline(unit, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot(ranks, rates, color=STEPS, linewidth=1.3)
    axes.plot(ranks, values, color=ACTIVATIONS, linewidth=1.5)
    top = min(float(values[-1]), _TALLEST * unit)
    axes.set_ylim(0, 1.08 * max(top, unit))
    axes.set_xlim(0, 100)
    name = f"Vth = {unit:.3g}" if layer.uniform else "Vth"
    axes.annotate(
        name, (0, unit), xytext=(4, 2), textcoords="offset points", fontsize=8, color=INK, va="bottom", ha="left"
    )
    if values[-1] > top:
        axes.annotate(
            f"up to {values[-1]:.3g} ↑", (1, 1), xycoords="axes fraction", xytext=(-10, -2), textcoords="offset points",
            fontsize=8, color=ACTIVATIONS, ha="right", va="top",
        )  # fmt: skip


def _draw_errors(axes: Axes, layer: LayerThresholds) -> None:
    axes.set_ylabel("error (% of mean)" if layer.objective == 1 else "rms error (% of rms)")
    if not len(layer.values):
        axes.set_xticks([])
        axes.set_yticks([])
        return
    factors = _factors(layer)
    unit = float(layer.threshold[0]) if layer.uniform else 1.0
    errors = 100 * layer.relative_errors(factors)
    chosen = 100 * float(layer.relative_errors(np.ones(1))[0])
    axes.plot(factors * unit, errors, color=INK, linewidth=1.3)
    axes.plot([unit], [chosen], marker="o", color=STEPS, markersize=7, markeredgecolor="white", clip_on=False, zorder=5)
    axes.vlines(unit, 0, chosen, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylim(0, min(1.08 * float(errors.max()), max(100, 1.2 * chosen)))
    # Beside the point it would lie on the curve sooner or later.
    axes.set_title(f"{chosen:.1f} % at the chosen Vth", loc="right", fontsize=8, color=GREY)


def _factors(layer: LayerThresholds) -> FloatArray:
    """Return factors of the chosen threshold, from a fifth to beyond the largest activation, but at most four."""
    highest = min(4.0, max(1.5, 1.05 * float(layer.shares[-1])))
    return np.linspace(_LOWEST_FACTOR, highest, _CANDIDATES)


def _legend(figure: Figure, layers: Sequence[LayerThresholds], title: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    height = float(figure.get_size_inches()[1])
    squared = layers[0].objective == 2
    figure.text(0.008, 1 - 0.1 / height, title, fontsize=11, fontweight="bold", color=INK, va="top", parse_math=False)
    handles = [
        Line2D([], [], color=ACTIVATIONS, linewidth=1.5, label="activations, sorted"),
        Line2D([], [], color=STEPS, linewidth=1.3, label=f"neuron's output, T = {layers[0].timesteps}"),
        Patch(color=STEPS, alpha=0.25, linewidth=0, label="error, squared" if squared else "error"),
        Line2D(
            [], [], color=STEPS, marker="o", markersize=7, markeredgecolor="white", linestyle="", label="chosen Vth"
        ),
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.3 / height), ncols=4, frameon=False, fontsize=9,
        labelcolor=INK, handlelength=1.6, columnspacing=1.6,
    )  # fmt: skip
