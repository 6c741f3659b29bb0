"""Thresholds as a table and as plain data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import RenderableType

from snnc.runtime.report import wording
from snnc.runtime.report.layout import plain_table
from snnc.thresholds.layer import LayerThresholds


def thresholds_table(layers: Sequence[LayerThresholds]) -> RenderableType:
    """One row for each layer; Vth, v0, activations and errors in the ANN's units."""
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    measures = ("mean", "error", "of mean") if layers[0].objective == 1 else ("rms", "rms error", "of rms")
    for title in ("channels", "Vth", "v0 / Vth", "largest activation", "positive", *measures):
        table.add_column(title, justify="right")
    for layer in layers:
        table.add_row(
            layer.name,
            f"{len(layer.threshold):,}",
            wording.scales(layer.threshold),
            wording.scales(np.round(layer.potential / layer.threshold, 3)),
            f"{layer.largest:.3g}",
            wording.share(layer.positive / layer.total),
            f"{layer.norm:.3g}",
            f"{layer.error:.3g}",
            wording.share(layer.relative_error),
        )
    return table


def thresholds_form(layers: Sequence[LayerThresholds]) -> list[dict[str, object]]:
    """One entry for each layer, ready for JSON."""
    return [
        {
            "name": layer.name,
            "modules": list(layer.modules),
            "threshold": layer.threshold.tolist(),
            "initial_potential": layer.potential.tolist(),
            "activations": layer.total,
            "positive_activations": layer.positive,
            "largest_activation": layer.largest,
            "mean_positive_activation": layer.mean,
            "objective": layer.objective,
            "error_per_positive_activation": layer.error,
            "relative_error": layer.relative_error,
        }
        for layer in layers
    ]
