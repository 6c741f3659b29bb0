"""A spiking layer beside the ANN's: its activations against its rates, its steps, its neurons' firing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc.analysis.conversion import LayerEvidence
from snnc.analysis.staircase import rate
from snnc.common.plotting import ACTIVATIONS, INK, STEPS, style
from snnc.reporting.thresholds import draw_activations

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches of a picture.
_SIZE = (3.5, 2.35)
# Activations beyond so many thresholds are left out, and told.
_FARTHEST = 2.0
_BINS = 25
_STAIRS = 1000
# Points are moved up and down by this at most.
_SPREAD = 0.02


def scatter_figure(evidence: LayerEvidence) -> Figure:
    """Draw activations of the ANN against rates of the network, both in thresholds, with the quantiser's steps."""
    figure, axes = _panel("activation of the ANN / Vth", "spikes per step")
    assert evidence.scatter is not None
    activations, rates = evidence.scatter.activations, evidence.scatter.rates
    farthest = min(_FARTHEST, max(1.1, float(activations.max(initial=0))))
    if evidence.thresholds is not None:
        threshold, potential = evidence.thresholds.threshold, evidence.thresholds.potential
        values = np.linspace(0, farthest, _STAIRS)
        # Of channels with different potentials, as they are at T = 1, the mean one.
        start = np.full(1, float((potential / threshold).mean()))
        stairs = rate(values, np.ones(1), start, evidence.thresholds.timesteps)
        axes.plot(values, stairs, color=STEPS, linewidth=1.2, zorder=3)
    # A little up and down, or points of one rate would hide one another.
    spread = np.random.default_rng(0).uniform(-1, 1, len(rates)) * min(_SPREAD, 0.3 / evidence.timesteps)
    axes.scatter(activations, rates + spread, s=5, color=ACTIVATIONS, alpha=0.12, linewidth=0, zorder=2)
    axes.set_xlim(-0.02 * farthest, farthest)
    axes.set_ylim(-0.03, 1.05)
    if (beyond := int((activations > farthest).sum())) > 0:
        _remark(axes, f"{100 * beyond / len(activations):.2g} % beyond →")
    return figure


def activations_figure(evidence: LayerEvidence) -> Figure:
    """Draw the positive activations in ascending order, with what its neurons make of each."""
    assert evidence.thresholds is not None
    figure, axes = _panel("rank among the positive activations (%)", "")
    draw_activations(axes, evidence.thresholds)
    return figure


def firing_figure(evidence: LayerEvidence) -> Figure:
    """Draw how many neurons fire how often."""
    from matplotlib.ticker import NullLocator

    figure, axes = _panel("spikes per step, mean of the samples", "neurons")
    counts, edges = np.histogram(evidence.firing, _BINS, (0, 1))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=ACTIVATIONS, linewidth=0)
    axes.set_yscale("log")
    # Half of the time of all panels would go into these.
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0.6, 2 * counts.max())
    axes.set_xlim(0, 1)
    _remark(axes, f"{100 * evidence.dead:.1f} % never, {100 * evidence.saturated:.1f} % always")
    return figure


def _remark(axes: Axes, text: str) -> None:
    """Write above a panel, at its right end. A title would do, but takes long to find its place."""
    axes.text(1, 1.03, text, transform=axes.transAxes, ha="right", fontsize=7.5, color=INK)


def _panel(x: str, y: str) -> tuple[Figure, Axes]:
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    # All panels have the same margins, so that they line up beside one another.
    axes = figure.add_axes((0.17, 0.2, 0.79, 0.68))
    style(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes
