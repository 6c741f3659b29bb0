"""What came back from a laboratory, as tables."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.reporting import wording
from snnc.reporting.table import plain_table
from snnc.runtime.hardware.lab.result import LabResult


def lab_layer_table(result: LabResult) -> RenderableType:
    """One row for each layer and the readout: what was expected, found and different."""
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    for title in ("spikes expected", "found", "different"):
        table.add_column(title, justify="right")
    for each in result.layers:
        table.add_row(each.name, f"{each.expected:,}", _count(each.found), _count(each.different))
    table.add_row("readout values", f"{result.readouts:,}", "", f"{result.readouts_different:,}")
    return Group("", table)


def lab_energy_table(result: LabResult) -> RenderableType:
    """Measured energy for one sample, where there is one, and below it snnc's estimates."""
    table = plain_table()
    table.add_column("energy per sample", no_wrap=True)
    for title in ("SNN", "ANN"):
        table.add_column(title, justify="right")
    for name, joules in _measured(result):
        if joules is not None:
            table.add_row(f"measured, {name}", wording.joules(joules / result.samples), "-")
    for each in result.estimates:
        table.add_row(f"estimate by {each.model}", wording.joules(each.snn_joules), wording.joules(each.ann_joules))
    legend = "measured: of the board over all its steps; estimates are from published figures"
    return Group("", table, Text(legend, style="dim"))


def lab_sentences(result: LabResult) -> list[str]:
    """What stands beside the tables."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    lines = [
        f"{result.steps:,} steps in {result.run_seconds:.3g} s of the host, after {result.start_seconds:.3g} s to start"
    ]
    if result.found_right is not None and result.expected_right is not None:
        lines.append(
            f"accuracy {wording.share(result.found_right / result.samples)} "
            f"({result.found_right:,} of {result.samples:,}, expected {result.expected_right:,})"
        )
    chip = result.chip
    if chip is not None and chip.seconds is not None:
        power = "" if chip.watts is None else f", {chip.watts:.3g} W"
        lines.append(f"on the chip: {chip.seconds / result.samples:.3g} s a sample{power}")
    lines.append(f"{result.machine} with {versions}" if versions else result.machine)
    return lines


def _measured(result: LabResult) -> list[tuple[str, float | None]]:
    chip = result.chip
    if chip is None:
        return []
    return [("all", chip.joules), ("dynamic", chip.dynamic_joules), ("static", chip.static_joules)]


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
