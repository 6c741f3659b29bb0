"""Programs of integrate-and-fire neurons as tables and pictures: thresholds, potentials, safety of the membranes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from snnc.program import Layer, Program
from snnc.program.bounds import Safety, program_safety
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
from snnc.reporting.wording import membrane_bits, weight_bits
from snnc.runtime.energy import count_synapses


@dataclass(frozen=True, eq=False)
class SpikingRow(LayerRow):
    """A layer of integrate-and-fire neurons.

    Attributes:
        layer: The layer.
        safety: Whether its membrane potential can overflow.
    """

    layer: Layer
    safety: Safety


class SpikingView(View[Program]):
    """How a program of integrate-and-fire neurons is shown."""

    def layers(self, *, absolute: bool) -> Table[SpikingRow]:
        """Return a row for each layer: neurons, synapses, threshold, initial potential, scale, range of the membrane.

        Args:
            absolute: Give ranges of membrane potentials in weight units, and not as shares of the limit.
        """
        program = self.program
        target = get_target(program.target)
        limit = target.membrane_limit
        safety = program_safety(program, limit, target.input_limit)
        counts = count_synapses(program)
        unit = f"in weight units, limit ±{limit:,}" if absolute else f"in % of the limit of {limit:,} weight units"
        return Table(
            self._columns(wording.span if absolute else partial(_of_limit, limit)),
            [
                SpikingRow(program, index, layer, count, safe)
                for index, (layer, count, safe) in enumerate(zip(program.layers, counts, safety, strict=True))
            ],
            legend="θ threshold and v0 initial potential, in weight units; Vth activation that a spike in every step "
            f"stands for; {UNEXPLAINED}; range of the membrane potential {unit}: measured on the calibration data, "
            "proven for any input; no overflow: proven, or how many times as far as on the calibration data the "
            "potential can go",
            sentence=wording.overall_safety(safety),
        )

    def _columns(self, write: Callable[[Span], str]) -> tuple[Column[SpikingRow], ...]:
        target = get_target(self.program.target)

        def bits(row: SpikingRow) -> str:
            measured = row.layer.membrane.measured
            return "" if measured is None else f"{membrane_bits(measured, target)} of {target.state_bits} bits"

        return (
            *size_columns(small=True),
            column(
                lambda row: row.layer.threshold.value if row.layer.threshold else None,
                wording.count,
                title="θ",
                kind="number",
                wrap=False,
            ),
            column(_potential, wording.count, title="v0", kind="number", wrap=False),
            column(
                lambda row: row.layer.scale if row.layer.threshold else None, wording.scales, title="Vth", kind="number"
            ),
            unexplained_column(),
            # Spans wrap at their blanks where the terminal is narrow.
            column(
                lambda row: row.layer.membrane.measured,
                write,
                screen="measured",
                page="potential measured",
                kind="number",
                small=bits,
            ),
            column(
                lambda row: row.layer.membrane.proven, write, screen="proven", page="potential proven", kind="number"
            ),
            column(_membrane, key="membrane"),
            column(lambda row: row.safety, _known, screen="no overflow", kind="number"),
            column(lambda row: row.safety, wording.safety, page="overflow"),
            scale_column(),
            column(lambda row: row.layer.memoryless, key="memoryless"),
            column(_threshold, key="threshold", optional=True),
            column(_potential, key="initial_potential", optional=True),
        )

    @property
    def page_legend(self) -> str:
        """What the figures of the layers mean."""
        limit = get_target(self.program.target).membrane_limit
        samples = self.program.provenance.calibration_samples
        return (
            "Vth is the activation that a spike in every step stands for. θ (threshold), v0 (initial potential) and "
            "the range of the membrane potential are in weight units; at "
            f"±{limit:,} the potential would overflow. Measured on {samples:,} calibration samples; proven for any "
            "input. The margin is how many times as far as on the calibration samples the potential can go. Bits are "
            "those that the largest weight and the measured potential take on the chip."
        )

    def box(self, index: int) -> list[str]:
        """Return the threshold and initial potential, and the bits of weights and potential."""
        layer, target = self.program.layers[index], get_target(self.program.target)
        lines = []
        if layer.threshold is not None and not layer.memoryless:
            threshold, potential = layer.threshold.value, layer.initial_potential
            lines.append(f"Vth {wording.scales(layer.scale)}, θ {threshold:,}, v0 {potential:,}")
        bits = [f"weights {weight_bits(layer)} of {target.weight_bits} bits"]
        if layer.membrane.measured is not None and not layer.memoryless:
            bits.append(f"potential {membrane_bits(layer.membrane.measured, target)} of {target.state_bits} bits")
        return [*lines, ", ".join(bits)]

    def hands_on(self, index: int) -> bool:
        """Return whether a layer is memoryless: it passes on spikes of the layer before."""
        return self.program.layers[index].memoryless

    @property
    def steps(self) -> str:
        """T, and the steps from the first input to the result."""
        return f"T = {self.program.timesteps}; {self.program.latency:,} until its result"

    @property
    def sent_by_each(self) -> str:
        """A neuron may fire in every step."""
        return "for each neuron and step"


def _potential(row: SpikingRow) -> int | None:
    return row.layer.initial_potential if row.layer.threshold else None


def _threshold(row: SpikingRow) -> Json | None:
    threshold = row.layer.threshold
    if threshold is None:
        return None
    return {"value": threshold.value, "mantissa": threshold.mantissa, "exponent": threshold.exponent}


def _membrane(row: SpikingRow) -> Json:
    safety = row.safety
    return {
        **membrane_json(row.layer.membrane),
        "cannot_overflow": safety.proven,
        "margin": None if safety.margin is None or math.isinf(safety.margin) else safety.margin,
        "statement": wording.safety(safety),
    }


def _known(safety: Safety) -> str:
    if safety.proven:
        return "proven"
    return "-" if safety.margin is None else f"× {wording.margin(safety.margin)}"


def _of_limit(limit: int, limits: Span) -> str:
    """Return how much of the range a membrane potential uses."""
    return f"{100 * max(-limits[0], limits[1]) / limit:.0f} %"
