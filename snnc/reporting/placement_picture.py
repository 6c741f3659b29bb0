"""A placement as a picture: the chips' cores, and how full they are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snnc.common.plotting import GREY, INK, check_picture, save_picture
from snnc.program.placement import RULES, PlacedLayer, Placement
from snnc.reporting.placement import placement_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

# What holds no core.
EMPTY = "#EEF0F3"
# Cores of a chip are drawn in so many columns, chips side by side.
_COLUMNS = 16
_CHIPS_IN_A_ROW = 4
# More chips than these are not drawn, but told.
_CHIPS_AT_MOST = 32


def plot_placement(placement: Placement, path: str | Path, *, title: str) -> None:
    """Draw the cores of all chips, coloured by the limit that each uses most of, with their layers' numbers.

    Args:
        placement: The placement.
        path: The picture to write; its suffix says the format: .pdf, .png or .svg.
        title: What stands above all.

    Raises:
        OutputError: The suffix is another one, or the file cannot be written.
    """
    save_picture(placement_figure(placement, title=title), check_picture(path))


def placement_figure(placement: Placement, *, title: str | None = None) -> Figure:
    """Return the picture itself; arguments as for :func:`plot_placement`, without a title where it is None."""
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    loads, numbers = _cores(placement)
    chips = min(math.ceil(max(1, len(loads)) / placement.target.cores_per_chip), _CHIPS_AT_MOST)
    columns = min(chips, _CHIPS_IN_A_ROW)
    lines = math.ceil(placement.target.cores_per_chip / _COLUMNS)
    names = [f"{index}  layer {layer.name}" for index, layer in enumerate(placement.program.layers)]
    width = 0.32 * _COLUMNS * columns + 3.4
    height = max(0.36 * lines * math.ceil(chips / columns) + 1.3, 0.19 * (len(names) + 2) + 0.9)
    figure = Figure(figsize=(width, height), layout="constrained")
    if title is not None:
        figure.suptitle(f"{title}\n{placement_sentence(placement)}", x=0.01, ha="left", fontsize=10, color=INK)
    ratios = [1.0] * columns + [2.6 / (0.32 * _COLUMNS)]
    grid = figure.add_gridspec(math.ceil(chips / columns), columns + 1, width_ratios=ratios)
    for chip in range(chips):
        axes = figure.add_subplot(grid[divmod(chip, columns)])
        begin = chip * placement.target.cores_per_chip
        here = slice(begin, begin + placement.target.cores_per_chip)
        image = _draw_chip(axes, loads[here], numbers[here], placement.target.cores_per_chip)
        axes.set_title(f"chip {chip + 1}", loc="left", fontsize=9, color=INK)
    legend = figure.add_subplot(grid[:, columns])
    legend.set_axis_off()
    unseen = len(loads) - chips * placement.target.cores_per_chip
    notes = [f"and {unseen:,} more cores, not drawn"] if unseen > 0 else []
    legend.text(
        0, 1, "\n".join([*names, f"c  {placement.program.wording.control}", *notes]), va="top", fontsize=7.5, color=INK
    )
    bar = figure.colorbar(image, ax=legend, location="bottom", fraction=0.04, pad=0.02)
    bar.set_label("largest share of a limit that the core uses (%)", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7, color=GREY, labelcolor=INK)
    return figure


def _cores(placement: Placement) -> tuple[NDArray[np.float64], list[str]]:
    """Return for each core the largest share of a limit, and its layer's number."""
    shares: list[NDArray[np.float64]] = []
    numbers: list[str] = []
    for placed in placement.layers:
        if placed.broken is None:
            shares.append(_shares(placement, placed))
            numbers += [str(placed.index)] * placed.cores
    shares.append(np.full(placement.control_cores, np.nan))
    numbers += ["c"] * placement.control_cores
    return np.concatenate(shares), numbers


def _shares(placement: Placement, placed: PlacedLayer) -> NDArray[np.float64]:
    limits = [(rule.used(placed.demand), rule.available(placement.target)) for rule in RULES]
    shares: NDArray[np.float64] = np.max([used.ravel() / limit for used, limit in limits if limit], axis=0)
    return shares


def _draw_chip(axes: Axes, loads: NDArray[np.float64], numbers: list[str], cores: int) -> AxesImage:
    shown = np.full(math.ceil(cores / _COLUMNS) * _COLUMNS, np.nan)
    shown[: len(loads)] = 100 * loads
    axes.set_facecolor(EMPTY)
    image = axes.imshow(shown.reshape(-1, _COLUMNS), cmap="viridis_r", vmin=0, vmax=100, aspect="equal")
    for place, number in enumerate(numbers):
        row, column = divmod(place, _COLUMNS)
        dark = place < len(loads) and loads[place] > 0.55
        axes.text(column, row, number, ha="center", va="center", fontsize=5.5, color="white" if dark else INK)
    axes.set_xticks(np.arange(_COLUMNS + 1) - 0.5, labels=[])
    axes.set_yticks(np.arange(len(shown) // _COLUMNS + 1) - 0.5, labels=[])
    axes.grid(color="white", linewidth=1)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
