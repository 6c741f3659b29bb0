"""A program as a table."""

from __future__ import annotations

from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.compiler.program import CompiledNetwork, SigmaDeltaProgram
from snnc.compiler.program.safety import Safety, program_safety
from snnc.compiler.targets import get_target
from snnc.runtime.report import wording
from snnc.runtime.report.layout import plain_table
from snnc.runtime.report.sigma_delta_table import sigma_delta_table


def program_table(program: CompiledNetwork, *, absolute: bool = False) -> RenderableType:
    """One row for each layer: neurons, synapses, threshold, initial potential, scale and the membrane's range.

    Args:
        program: The program.
        absolute: Give the ranges of membrane potentials in weight units, and not as shares of the limit.
    """
    if isinstance(program, SigmaDeltaProgram):
        return sigma_delta_table(program, absolute=absolute)
    target = get_target(program.target)
    limit = target.membrane_limit
    safety = program_safety(program, limit, target.input_limit)
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    table.add_column("neurons", no_wrap=True)
    table.add_column("synapses", min_width=8)
    for title in ("θ", "v0", "Vth", "measured", "proven", "safe"):
        # Spans wrap at their blanks where the terminal is narrow.
        table.add_column(title, justify="right", no_wrap=title in ("θ", "v0"))
    write = wording.span if absolute else partial(_of_limit, limit)
    for index, layer in enumerate(program.layers):
        table.add_row(
            wording.layer(layer),
            wording.shape(layer.shape),
            wording.synapses(program, index),
            f"{layer.threshold.value:,}" if layer.threshold else "-",
            f"{layer.initial_potential:,}" if layer.threshold else "-",
            wording.scales(layer.scale) if layer.threshold else "-",
            write(layer.membrane.measured),
            write(layer.membrane.proven),
            _known(safety[index]),
        )
    unit = f"in weight units, limit ±{limit:,}" if absolute else f"in % of the limit of {limit:,} weight units"
    legend = (
        "θ threshold and v0 initial potential, in weight units; Vth activation that a spike in every step stands for; "
        f"range of the membrane potential {unit}: measured on the calibration data, proven for any input; "
        "safe: proven, or how many times as far as on the calibration data the potential can go"
    )
    return Group("", table, Text(legend, style="dim"), wording.overall_safety(safety))


def _known(safety: Safety) -> str:
    if safety.proven:
        return "proven"
    return "-" if safety.margin is None else f"× {wording.margin(safety.margin)}"


def _of_limit(limit: int, limits: tuple[int, int] | None) -> str:
    """How much of the range a membrane potential uses."""
    return "-" if limits is None else f"{100 * max(-limits[0], limits[1]) / limit:.0f} %"
