"""Programs of sigma-delta neurons as tables and pictures: delta thresholds, units of messages, the range of sigma."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.program import SigmaDeltaLayer, SigmaDeltaProgram
from snnc.program.messages import ACTIVATION_LIMIT, STATE_LIMIT
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.layers import (
    UNEXPLAINED,
    LayerRow,
    Span,
    View,
    membrane_json,
    scale_column,
    size_columns,
    unexplained_column,
)
from snnc.reporting.table import Column, Json, Table, column
from snnc.runtime.energy import count_synapses

LEGEND = (
    "delta threshold: the change of sigma below which nothing is sent; unit: the activation that one unit of a message "
    "stands for (readout: the logit of one unit of sigma)"
)


@dataclass(frozen=True, eq=False)
class SigmaDeltaRow(LayerRow):
    """A layer of sigma-delta neurons.

    Attributes:
        layer: The layer.
    """

    layer: SigmaDeltaLayer


class SigmaDeltaView(View[SigmaDeltaProgram]):
    """How a program of sigma-delta neurons is shown."""

    def layers(self, *, absolute: bool) -> Table[SigmaDeltaRow]:
        """Return a row for each layer: neurons, synapses, delta threshold, unit and the range of sigma.

        Args:
            absolute: Give ranges in units of sigma, and not as shares of the limits.
        """
        program = self.program
        unit = f"in units, limits -{STATE_LIMIT:,} and {ACTIVATION_LIMIT:,}" if absolute else "in % of its limits"
        return Table(
            _columns(absolute),
            [
                SigmaDeltaRow(program, index, layer, count)
                for index, (layer, count) in enumerate(zip(program.layers, count_synapses(program), strict=True))
            ],
            legend=f"{LEGEND}; {UNEXPLAINED}; range of sigma plus bias {unit}: measured on the calibration data, "
            "proven for any input",
        )

    @property
    def page_legend(self) -> str:
        """What the figures of the layers mean."""
        return (
            f"{LEGEND[0].upper()}{LEGEND[1:]}. Ranges are those of sigma plus bias; messages of 16 bits overflow at "
            f"{ACTIVATION_LIMIT:,}, sigma at ±{STATE_LIMIT:,}. Measured on "
            f"{self.program.provenance.calibration_samples:,} calibration samples; proven for any input. The last "
            "channel of each layer but the readout holds a constant, for the biases of the next."
        )

    def box(self, index: int) -> list[str]:
        """Return the unit of a message, what is held back, and the bits of weights."""
        layer, target = self.program.layers[index], get_target(self.program.target)
        held_back = f", delta threshold {layer.held_back:,}" if layer.held_back else ""
        bits = f"weights {wording.weight_bits(layer)} of {target.weight_bits} bits"
        return [f"unit {_unit(layer)}{held_back}, {bits}"]

    def hands_on(self, index: int) -> bool:
        """Return whether a layer is the relay after the input."""
        return not self.program.layers[index].modules

    @property
    def steps(self) -> str:
        """Steps are as many as layers, with one for the input."""
        return "one for each layer and one for the input"

    @property
    def sent_by_each(self) -> str:
        """A neuron sends once in a sample at most."""
        return "for each neuron"

    @property
    def energy_convention(self) -> str:
        """What a message counts as."""
        return "A message counts as a spike does, whatever its size, and what biases send once is no part of a sample."


def _columns(absolute: bool) -> tuple[Column[SigmaDeltaRow], ...]:
    def span(row: SigmaDeltaRow, limits: Span | None) -> str | None:
        if limits is None:
            return None
        return wording.span(limits) if absolute else f"{100 * _used(row.layer, limits):.0f} %"

    return (
        *size_columns(),
        column(
            lambda row: None if row.layer.is_readout else row.layer.held_back,
            wording.count,
            title="delta threshold",
            kind="number",
        ),
        column(lambda row: _unit(row.layer), title="unit", kind="number"),
        unexplained_column(),
        column(lambda row: span(row, row.layer.membrane.measured), title="measured", kind="number"),
        column(lambda row: span(row, row.layer.membrane.proven), title="proven", kind="number"),
        column(_membrane, key="membrane"),
        scale_column(),
        column(lambda row: row.layer.delta_threshold, key="delta_threshold"),
        column(lambda row: int(row.layer.has_constant), key="constant_channels"),
        column(
            lambda row: {"minimum": int(row.layer.bias.min()), "maximum": int(row.layer.bias.max())},
            key="bias",
        ),
    )


def _unit(layer: SigmaDeltaLayer) -> str:
    """Return what one unit stands for, but for the channel of constants."""
    return wording.scales(layer.scale[:-1] if layer.has_constant else layer.scale)


def _membrane(row: SigmaDeltaRow) -> Json:
    membrane = row.layer.membrane
    # No input takes sigma, or a message, out of its range.
    return {**membrane_json(membrane), "cannot_overflow": _used(row.layer, membrane.proven) < 1}


def _used(layer: SigmaDeltaLayer, limits: Span) -> float:
    """Return the share of its range that sigma uses; messages of 16 bits limit activations, not the readout."""
    highest = STATE_LIMIT if layer.is_readout else ACTIVATION_LIMIT
    return max(-limits[0] / STATE_LIMIT, limits[1] / highest)
