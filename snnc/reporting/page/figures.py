"""The pictures of the page: errors with their bounds, energy, fewer steps, and the network layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from snnc.analysis.conversion import LayerEnergy, Report
from snnc.analysis.validation import LayerComparison
from snnc.common.plotting import ACTIVATIONS, GREY, INK, STEPS, picture_address, style
from snnc.program import CompiledNetwork, NeuronLayer
from snnc.reporting import wording
from snnc.reporting.diagram import INPUT_COLOR, OTHER_COLOR, READOUT_COLOR, SPIKING_COLOR, Box, diagram_strips
from snnc.reporting.program import view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A browser's pixels in an inch.
_PIXELS = 96


@dataclass(frozen=True)
class Image:
    """A picture with what the page says of it.

    Attributes:
        address: Its content, as a ``data:`` address.
        text: What it shows, for those who cannot see it.
        width: Pixels that it takes where there is room.
        height: Likewise.
    """

    address: str
    text: str
    width: int
    height: int


def image(figure: Figure, text: str, *, format: Literal["png", "svg"] = "png") -> Image:
    """Take a figure into a page.

    Args:
        figure: The figure; .png for many points, .svg for few, which then stay sharp in print.
        text: What it shows.
        format: One of the two.
    """
    width, height = (round(_PIXELS * float(inches)) for inches in figure.get_size_inches())
    return Image(picture_address(figure, format), text, width, height)


# Inches around the lines of the layers.
_AROUND = 1.0


@dataclass(frozen=True)
class _Points:
    """A value for each layer, as a picture shows it: what is 0 has no point, since a logarithmic axis has no zero."""

    name: str
    values: Sequence[float]
    color: str
    marker: str = "o"


def bounds_figure(layers: Sequence[LayerComparison]) -> Figure:
    """Draw mean error, largest error and bound of each layer, on one logarithmic axis.

    Args:
        layers: At least one; what has no bound has no point for it.
    """
    points = (
        _Points("mean error", [each.mean_error for each in layers], ACTIVATIONS),
        _Points("largest error", [each.largest_error for each in layers], STEPS),
        _Points("bound", [each.bound or 0.0 for each in layers], INK, marker="|"),
    )
    figure, axes = _by_layer([each.name for each in layers], points, inches=0.28)
    axes.set_xlabel("distance from the ANN, in its units")
    return figure


def energy_figure(layers: Sequence[LayerEnergy], model: str) -> Figure:
    """Draw the energy of SNN and ANN for one sample, on one logarithmic axis.

    Args:
        layers: At least one.
        model: Name of the energy model, of those that define the energy of both.
    """
    from matplotlib.ticker import EngFormatter

    snn, ann = [each.snn[model] for each in layers], [each.ann[model] or 0.0 for each in layers]
    points = (_Points("SNN", snn, STEPS), _Points("ANN", ann, ACTIVATIONS))
    figure, axes = _by_layer([each.name for each in layers], points, inches=0.21)
    axes.hlines(range(len(layers)), list(map(min, snn, ann)), list(map(max, snn, ann)), GREY, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_formatter(EngFormatter("J"))
    axes.set_xlabel(f"energy per sample by {model}")
    return figure


def _by_layer(names: Sequence[str], shown: Sequence[_Points], *, inches: float) -> tuple[Figure, Axes]:
    """Return a line for each layer, from top to bottom, with points on one logarithmic axis.

    Args:
        names: The layers.
        shown: What is drawn of them.
        inches: The height of a line.
    """
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    height = inches * len(names) + _AROUND
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.3, 0.55 / height, 0.66, 1 - _AROUND / height))
    style(axes)
    for each in shown:
        axes.plot(
            [value or math.nan for value in each.values],
            range(len(names)),
            linestyle="",
            marker=each.marker,
            markersize=6,
            color=each.color,
            label=each.name,
            # Those of the first and the last layer lie on the edges.
            clip_on=False,
            zorder=3,
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.05)
    axes.set_xscale("log")
    figure.legend(
        loc="upper left", bbox_to_anchor=(0.29, 1.0), ncols=len(shown), frameon=False, fontsize=8.5, labelcolor=INK,
        handlelength=1.2,
    )  # fmt: skip
    return figure, axes


# From so many steps on, their axis is logarithmic.
_LOGARITHMIC = 16


def steps_figure(report: Report) -> Figure:
    """Draw accuracy, and agreement with the ANN, after fewer steps than T."""
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    figure = Figure(figsize=(5.2, 2.9))
    axes = figure.add_axes((0.11, 0.17, 0.85, 0.7))
    style(axes)
    steps = [each.steps for each in report.steps]
    values = report.task == "values"
    axes.plot(
        steps, [100 * each.agreement for each in report.steps], color=STEPS, marker="o", markersize=3.5,
        linewidth=1.3, label="R squared to the ANN" if values else "same prediction as the ANN",
    )  # fmt: skip
    accuracies = [each.accuracy for each in report.steps]
    ann = report.diagnosis.stages[0].accuracy
    if ann is not None:
        axes.axhline(100 * ann, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="accuracy of the ANN")
        axes.plot(
            steps, [100 * each for each in accuracies if each is not None], color=ACTIVATIONS, marker="o",
            markersize=4.5, linewidth=1.6, label="accuracy",
        )  # fmt: skip
    if steps[-1] > _LOGARITHMIC:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_major_locator(FixedLocator([1 << power for power in range(steps[-1].bit_length())]))
    else:
        axes.set_xticks(steps)
    axes.margins(x=0.03)
    axes.set_ylim(0, 102)
    axes.set_xlabel("steps")
    axes.set_ylabel("% of the variance" if values else "% of the samples")
    axes.legend(
        loc="best", frameon=False, fontsize=8, labelcolor=INK, ncols=1, handlelength=1.6,
    )  # fmt: skip
    return figure


# Rows of layers in a picture: as high as a sheet of paper.
_ROWS = 8


def network_figures(program: CompiledNetwork) -> list[Figure]:
    """Draw the layers from top to bottom; long networks in several pictures that continue one another."""
    coding, shown = program.coding, view(program)
    sent = "graded spikes" if coding.kind == "graded" else "rate coded"
    boxes = {"": Box(f"input   {wording.shape(coding.shape)}\n{sent}, levels 0 to {coding.highest}", INPUT_COLOR)}
    for index, layer in enumerate(program.layers):
        sources = tuple("" if each.source < 0 else program.layers[each.source].name for each in layer.synapses)
        color = READOUT_COLOR if layer.is_readout else OTHER_COLOR if shown.hands_on(index) else SPIKING_COLOR
        boxes[layer.name] = Box("\n".join([*_lines(layer), *shown.box(index)]), color, sources)
    return diagram_strips(boxes, rows_at_most=_ROWS)


def _lines(layer: NeuronLayer) -> list[str]:
    """Return a layer's size and its synapses."""
    count = f"{layer.neurons:,} neuron{'s' * (layer.neurons != 1)}"
    shape = f"{wording.shape(layer.shape)}, " if len(layer.shape) > 1 else ""
    lines = [f"{wording.layer(layer)}   {shape}{count}"]
    return lines + [f"{'+ ' if index else ''}{wording.synapse(each)}" for index, each in enumerate(layer.synapses)]
