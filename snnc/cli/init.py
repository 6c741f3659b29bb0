"""``snnc init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.configuration import FILE_NAME
from snnc.cli.options import Json, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OutputError
from snnc.compiler.options import ModelFileOptions

EXAMPLES = """\b
Examples:
  snnc init model.pt
  snnc compile model.pt
"""


@with_options
def init_command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The trained network, as for snnc compile; it is only looked at.")
    ],
    options: ModelFileOptions,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.toml", help="The file.  [default: snnc.toml beside MODEL]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a snnc.toml that is there.", show_default=False)] = (
        False
    ),
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Write a commented snnc.toml beside a model, by looking at it.

    What of the model cannot be compiled is said. Commands take from that file what is not given on the command line.
    """
    screen = Screen(json=as_json)
    path = output or model.parent / FILE_NAME
    check_writable(path, Inputs(model, code=options.arch))
    if path.exists() and not force:
        raise OutputError("is there already", where=str(path), advice="add --force to replace it")
    from dataclasses import asdict

    from snnc.analysis.first_look import look_at_model
    from snnc.cli.configuration.write import configuration_text
    from snnc.common.atomic_write import write_whole
    from snnc.reporting.wording import shape

    with screen.steps() as steps:
        steps.begin("looking at the model")
        found = look_at_model(model, arch=options.arch, trust=options.trust)
    write_whole(path, configuration_text(found, model).encode("utf-8"))
    size = "samples of unknown shape" if found.shape is None else f"samples of {shape(found.shape)}"
    outputs = "" if found.classes is None else f", {found.classes:,} outputs"
    parameters = f"{found.parameters:,} parameters, " if found.parameters else ""
    screen.show(f"{model}: {parameters}{size}{outputs}")
    if found.problem:
        screen.note(f"it cannot be compiled as it is: {found.problem}")
    if found.kept is None and found.fit is not None and not found.fit.fits:
        screen.note(
            f"{found.fit.problem} without --mean and --std: {found.fit.advice}, and is set in the file"
            if found.fit.other_fits
            else f"{found.fit.problem}: {found.fit.advice}"
        )
    if found.data is None or found.data.endswith(":ROOT"):
        screen.note("no calibration data were found: set calib in the file, or give --calib")
    screen.show(f"wrote {path}")
    screen.emit({"config": str(path), "model": str(model), **asdict(found)})
    return 0
