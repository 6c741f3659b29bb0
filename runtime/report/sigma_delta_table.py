"""A sigma-delta program as a table and as JSON."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.compiler.program import SigmaDeltaLayer, SigmaDeltaProgram
from snnc.compiler.program.sigma_delta import ACTIVATION_LIMIT, STATE_LIMIT
from snnc.runtime.report import wording
from snnc.runtime.report.layout import plain_table

TITLES = ("delta threshold", "unit", "measured", "proven")
LEGEND = (
    "delta threshold: the change of sigma below which nothing is sent; unit: the activation that one unit of a message "
    "stands for (readout: the logit of one unit of sigma)"
)


def sigma_delta_table(program: SigmaDeltaProgram, *, absolute: bool) -> RenderableType:
    """One row for each layer: neurons, synapses, delta threshold, unit and the range of sigma.

    Args:
        program: The program.
        absolute: Give the ranges in units of sigma, and not as shares of the limits.
    """
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    table.add_column("neurons", no_wrap=True)
    table.add_column("synapses", min_width=8)
    for title in TITLES:
        table.add_column(title, justify="right")
    for index, layer in enumerate(program.layers):
        table.add_row(
            wording.layer(layer),
            wording.shape(layer.shape),
            wording.synapses(program, index),
            *layer_cells(layer, absolute=absolute),
        )
    unit = f"in units, limits -{STATE_LIMIT:,} and {ACTIVATION_LIMIT:,}" if absolute else "in % of its limits"
    legend = f"{LEGEND}; range of sigma plus bias {unit}: measured on the calibration data, proven for any input"
    return Group("", table, Text(legend, style="dim"))


def layer_cells(layer: SigmaDeltaLayer, *, absolute: bool) -> tuple[str, ...]:
    """What a table says of a layer, under :data:`TITLES`."""
    unit = layer.scale[:-1] if layer.has_constant else layer.scale
    membrane = layer.membrane
    ranges = (
        wording.span(each) if absolute else "-" if each is None else f"{100 * _used(layer, each):.0f} %"
        for each in (membrane.measured, membrane.proven)
    )
    return ("-" if layer.delta_threshold is None else f"{layer.held_back:,}", wording.scales(unit), *ranges)


def cannot_overflow(layer: SigmaDeltaLayer) -> bool:
    """Whether no input takes sigma, or a message, out of its range."""
    return _used(layer, layer.membrane.proven) < 1


def sigma_delta_form(layer: SigmaDeltaLayer) -> dict[str, object]:
    """What a JSON object says of a layer's neurons."""
    return {
        "delta_threshold": layer.delta_threshold,
        "constant_channels": int(layer.has_constant),
        "bias": {"minimum": int(layer.bias.min()), "maximum": int(layer.bias.max())},
    }


def _used(layer: SigmaDeltaLayer, limits: tuple[int, int]) -> float:
    """The share of its range that sigma uses; messages of 16 bits limit activations, not the readout."""
    highest = STATE_LIMIT if layer.delta_threshold is None else ACTIVATION_LIMIT
    return max(-limits[0] / STATE_LIMIT, limits[1] / highest)
