"""Tables and pictures of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from growth import Growth
from rich.console import Console
from rich.table import Table

OUTSIDE = "outside of passes (tracing, the integer network on the calibration data)"
# Tables are as wide as they are where nobody looks at a terminal.
console = Console() if Console().is_terminal else Console(width=200)


def show_machine(machine: Mapping[str, object]) -> None:
    """What was measured on."""
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)


def show_times(rows: Sequence[Mapping[str, Any]]) -> None:
    """The simulator against the ANN."""
    table = _table(
        "sim against T forward passes of the ANN (medians; ratio: sim / (T ANN))",
        ["network", "T", "batch", "ANN s", "sim s", "ratio", "by processor time", "spike rate"],
    )
    for row in rows:
        table.add_row(
            row["network"],
            str(row["timesteps"]),
            str(row["batch"]),
            f"{row['ann']['seconds']:.3f}",
            f"{row['sim']['seconds']:.3f}",
            f"{row['ratio']:.2f}",
            f"{row['processor_ratio']:.2f}",
            f"{100 * row['spike_rate']:.1f} %",
        )
    console.print(table)


def show_memory(rows: Sequence[Mapping[str, Any]]) -> None:
    """The simulator's memory against the ANN's."""
    table = _table(
        "memory of a batch in MiB beyond what a first sample left (and whole process)",
        ["network", "T", "batch", "ANN", "sim", "ratio", "ANN's process", "sim's process"],
    )
    for row in rows:
        ann, sim, ratio = row["ann"], row["sim"], row["ratio"]
        table.add_row(
            row["network"],
            str(row["timesteps"]),
            str(row["batch"]),
            f"{ann['grown']:.1f}",
            f"{sim['grown']:.1f}",
            "-" if ratio is None else f"{ratio:.2f}",
            f"{ann['peak']:.0f}",
            f"{sim['peak']:.0f}",
        )
    console.print(table)


def show_spikingjelly(rows: Sequence[Mapping[str, Any]]) -> None:
    """The simulator against SpikingJelly."""
    table = _table(
        "sim against SpikingJelly's converted network (same weights, data and T)",
        ["network", "T", "batch", "version", "SpikingJelly s", "sim s", "sim is faster", "by processor time"],
    )
    for row in rows:
        table.add_row(
            row["network"],
            str(row["timesteps"]),
            str(row["batch"]),
            row["spikingjelly_version"],
            f"{row['spikingjelly']['seconds']:.3f}",
            f"{row['sim']['seconds']:.3f}",
            f"{row['times_as_fast']:.1f} times",
            f"{row['times_as_fast_processor']:.1f} times",
        )
    console.print(table)


def show_passes(rows: Sequence[Mapping[str, Any]]) -> None:
    """Compile time by pass, those first that take longest."""
    for row in rows:
        table = _table(
            f"compiling {row['network']} for T = {row['timesteps']}: {row['seconds']:.2f} s "
            f"({row['calibration_samples']} calibration samples)",
            ["pass", "seconds", "share"],
        )
        passes = {**row["passes"], OUTSIDE: row["outside_passes"]}
        for name, seconds in sorted(passes.items(), key=lambda each: -each[1]):
            table.add_row(name, f"{seconds:.3f}", f"{100 * seconds / row['seconds']:.1f} %")
        console.print(table)


def show_growth(curves: Sequence[Growth]) -> None:
    """Each curve as a table; where time should be in proportion, what one more costs in the last column."""
    for curve in curves:
        shared = [f"µs / {curve.name}"] if curve.ideal else []
        table = _table(f"growth with {curve.axis}", [curve.name, curve.unit, *shared])
        for value, seconds in curve.points:
            each = [f"{1e6 * seconds / value:.3g}"] if curve.ideal else []
            table.add_row(f"{value:,.0f}", f"{seconds:.5f}", *each)
        console.print(table)


def draw(curve: Growth, path: Path) -> None:
    """A picture of a curve on logarithmic axes, with the line of time in proportion."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    values, seconds = zip(*curve.points, strict=True)
    axes.loglog(values, seconds, "o-", label="measured")
    if curve.ideal:
        proportional = [seconds[-1] * value / values[-1] for value in values]
        axes.loglog(values, proportional, ":", color="grey", label="in proportion")
    axes.set_xlabel(curve.axis, fontsize=8)
    axes.set_ylabel(curve.unit)
    axes.legend()
    figure.savefig(path, dpi=150)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table
