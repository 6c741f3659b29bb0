"""Accuracy against the number of steps, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc.reporting.collect import Report
from snnc.thresholds.plot import ACTIVATIONS, GREY, INK, STEPS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From so many steps on, their axis is logarithmic.
_LOGARITHMIC = 16


def steps_figure(report: Report) -> Figure:
    """Accuracy, and agreement with the ANN, after fewer steps than T."""
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    figure = Figure(figsize=(5.2, 2.9))
    axes = figure.add_axes((0.11, 0.17, 0.85, 0.7))
    style(axes)
    steps = [each.steps for each in report.steps]
    axes.plot(
        steps, [100 * each.agreement for each in report.steps], color=STEPS, marker="o", markersize=3.5,
        linewidth=1.3, label="same prediction as the ANN",
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
    axes.set_ylabel("% of the samples")
    axes.legend(
        loc="best", frameon=False, fontsize=8, labelcolor=INK, ncols=1, handlelength=1.6,
    )  # fmt: skip
    return figure
