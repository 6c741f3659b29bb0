"""The result for people, and as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snnc.runtime.hardware.lab_script.lab_error import LabError

KEYS = ("expected", "found", "different")


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = [["layer", "spikes expected", "found", "different"]]
    for each in result["layers"]:
        rows.append([each["name"], *("-" if each[key] is None else str(each[key]) for key in KEYS)])
    rows.append(["readout values", str(result["readouts"]["values"]), "", str(result["readouts"]["different"])])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *figures in rows:
        cells = [figure.rjust(widths[column + 1]) for column, figure in enumerate(figures)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    samples, labels, seconds = result["samples"], result["labels"], result["seconds"]
    if labels:
        lines.append(f"right: {labels['found_right']} of {samples}, expected {labels['expected_right']}")
    lines.append(f"{result['steps']} steps in {seconds['run']:.3g} s, after {seconds['start']:.3g} s to start")
    for name, value in (result["chip"] or {}).items():
        lines += [f"note: {each}" for each in value] if name == "notes" else [f"chip, {name}: {value}"]
    return "\n".join([*lines, "all as expected" if result["passed"] else "NOT as expected"])


def write_result(result: dict[str, Any], path: Path) -> None:
    """Writes a file whole, or not at all.

    Raises:
        LabError: It cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="ascii")
        unfinished.replace(path)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from error
