"""What came back from a laboratory, as tables."""

from __future__ import annotations

from snnc.reporting import wording
from snnc.reporting.table import Table, column
from snnc.runtime.hardware.lab.result import LabResult

# Name, value expected, found and different; where no value is counted, there is none of what was found.
_Counts = tuple[str, int, int | None, int | None]
# Name, joules of the SNN and of the ANN for one sample.
_Joules = tuple[str, float | None, float | None]


def lab_layer_table(result: LabResult) -> Table[_Counts]:
    """Return a row for each layer and the readout: what was expected, found and different."""
    readout = "readout values"
    return Table(
        (
            column(lambda row: row[0], title="layer", kind="name"),
            column(lambda row: row[1], wording.count, title="spikes expected", kind="number"),
            # Of the readout, values are compared and not counted.
            column(lambda row: "" if row[0] is readout else _count(row[2]), title="found", kind="number"),
            column(lambda row: row[3], wording.count, title="different", kind="number"),
        ),
        [
            *((each.name, each.expected, each.found, each.different) for each in result.layers),
            (readout, result.readouts, None, result.readouts_different),
        ],
    )


def lab_energy_table(result: LabResult) -> Table[_Joules]:
    """Return the measured energy for one sample, where there is one, and below it snnc's estimates."""
    return Table(
        (
            column(lambda row: row[0], title="energy per sample", kind="name"),
            column(lambda row: row[1], wording.joules, title="SNN", kind="number"),
            column(lambda row: row[2], wording.joules, title="ANN", kind="number"),
        ),
        [
            *(
                (f"measured, {name}", joules / result.samples, None)
                for name, joules in _measured(result)
                if joules is not None
            ),
            *((f"estimate by {each.model}", each.snn_joules, each.ann_joules) for each in result.estimates),
        ],
        legend="measured: of the board over all its steps; estimates are from published figures",
    )


def lab_sentences(result: LabResult) -> list[str]:
    """Return what stands beside the tables."""
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
