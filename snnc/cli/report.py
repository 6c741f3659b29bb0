"""``snnc report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Json, Verbose
from snnc.cli.screen import Screen

EXAMPLES = """\b
Example:
  snnc report --lab result.json
"""


def report_command(
    lab: Annotated[Path, typer.Option("--lab", metavar="FILE", help="The result that a bundle's run_lab.py wrote.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show what came back from a laboratory: spikes, accuracy, time and energy beside snnc's estimates.

    Ends with exit code 1 if a spike or readout there was not as the simulator gives it.
    """
    screen = Screen(json=as_json)
    from dataclasses import asdict

    from snnc.runtime.hardware.lab import read_lab_result
    from snnc.runtime.report.lab_table import lab_energy_table, lab_layer_table, lab_sentences

    result = read_lab_result(lab)
    place = {"cpu": "Lava's CPU simulator", "loihi2": "Loihi 2"}[result.backend]
    where = f"{place}, {result.board}" if result.board else place
    screen.show(
        f"{lab}: network {result.network[:16]} (SHA-256), {result.samples:,} samples of {result.data}, "
        f"T = {result.timesteps}, on {where}"
    )
    screen.show(lab_layer_table(result))
    screen.show(lab_energy_table(result))
    for line in lab_sentences(result):
        screen.show(line)
    for note in result.chip.notes if result.chip else ():
        screen.note(note)
    screen.show("all as expected" if result.passed else "not as expected")
    screen.emit({"lab": str(lab), **asdict(result)})
    return 0 if result.passed else 1
